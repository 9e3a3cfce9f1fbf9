import type { Program } from "../program.ts";

/** Servers of games. */
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
];
