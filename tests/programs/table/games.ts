import type { Program } from "../program.ts";

/** Game servers. */
export const games: readonly Program[] = [
  {
    name: "Battle for Wesnoth",
    packages: ["wesnoth-1.18-server", "netcat-openbsd"],
    unprivileged: true,
    run: "exec /usr/games/wesnothd-1.18 --port 15000 --log-info=all",
    port: 15000,
    client: "head -c 4 /dev/zero | nc -w 2 $HOST $PORT | od -An -tx1",
    expect: /00 00 00/,
    logsPeerTo: "output",
  },
  {
    name: "Teeworlds",
    packages: ["teeworlds-server", "socat"],
    unprivileged: true,
    run: "exec /usr/games/teeworlds-server 'sv_port 8303; sv_register 0'",
    port: 8303,
    kind: "udp",
    // asks for a token and is sent its own with one of the server's
    client:
      "(printf '\\004\\000\\000\\377\\377\\377\\377\\005\\001\\002\\003\\004'; head -c 512 /dev/zero) | socat -t 2 - UDP:$HOST:$PORT | od -An -tx1",
    expect: /01 02 03 04 05/,
  },
  {
    name: "Luanti",
    packages: ["luanti-server", "socat"],
    unprivileged: true,
    // an empty game
    prepare:
      "game=.minetest/games/hello; mkdir -p $game/mods/hello w; echo title = hello > $game/game.conf; echo name = hello > $game/mods/hello/mod.conf; touch $game/mods/hello/init.lua; printf 'gameid = hello\\nbackend = sqlite3\\n' > w/world.mt",
    run: "exec /usr/games/luantiserver --port 30000 --gameid hello --world $DIR/w --logfile $DIR/log",
    port: 30000,
    kind: "udp",
    // an empty reliable packet of a new peer, which is acknowledged
    client:
      "printf '\\117\\105\\164\\003\\000\\000\\000\\003\\377\\334\\001' | socat -t 2 - UDP:$HOST:$PORT | od -An -tx1",
    expect: /4f 45 74 03/,
  },
  {
    name: "OpenTTD",
    packages: ["openttd", "openttd-opengfx", "netcat-openbsd"],
    unprivileged: true,
    run: "exec /usr/games/openttd -D 0.0.0.0:3979 -x -c $DIR/openttd.cfg -d net=6",
    port: 3979,
    // asks for the server's information
    client: "printf '\\003\\000\\007' | nc -w 2 $HOST $PORT | od -An -tx1",
    expect: /00 06/,
    logsPeerTo: "output",
  },
  {
    name: "Freeciv",
    packages: ["freeciv-server", "netcat-openbsd"],
    unprivileged: true,
    run: "exec /usr/games/freeciv-server -p 5556",
    port: 5556,
    client: "nc -vz -w 2 $HOST $PORT 2>&1",
    expect: /succeeded/,
  },
  {
    name: "BZFlag",
    packages: ["bzflag-server", "netcat-openbsd"],
    unprivileged: true,
    run: "exec /usr/games/bzfs -p 5154 -d -d -d",
    port: 5154,
    client: "printf 'BZFLAG\\r\\n\\r\\n' | nc -w 2 $HOST $PORT",
    expect: /BZFS/,
    logsPeerTo: "output",
  },
];
