import { expect, test } from "bun:test";
import { join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import { here, OWN_MACHINE, ROOT, tempDir } from "../harness/index.ts";
import { blocksOf } from "./blocks.ts";

const PAGES = ["docs/tutorial-vpn.md", "docs/tutorial-sandbox.md", "packages/cli/README.md"];

/* A word of each block that is not ```sh, and why it is not run here. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "type wireguard": "takes a provider's configuration; the TUN device stands for it",
  ifconfig_local: "run by OpenVPN, as a test below does in its place",
  "route-noexec": "takes a provider's configuration",
  "[Unit]": "a drop-in for systemd, which drop-ins.test.ts has systemd look at",
};

/* The commands of a page. `set -e` does not end a shell where a negated command succeeds. */
function commandBlocks(page: string): string[] {
  const blocks = blocksOf(page);
  for (const { code } of blocks.filter(({ language }) => language !== "sh")) {
    const isKnown = Object.keys(NOT_RUN).some((word) => code.includes(word));
    expect(isKnown, `no test runs this block of ${page}:\n${code}`).toBe(true);
  }
  const commands = blocks.filter(({ language }) => language === "sh");
  return commands.map(({ code }) => code.replaceAll(/^! .*$/gm, "$& || exit 1"));
}

/* Sets up the page's own machine, with which everything that it starts ends. */
const SET_UP = `
ip link set lo up
mount -t tmpfs run /run
mkdir -p /run/xsocket
`;

/* The tunnel of the VPN tutorial needs a TUN device, which not everybody may make. */
const hasTun = Bun.spawnSync(["sh", "-c", ": <>/dev/net/tun"]).success;

for (const page of PAGES)
  test.skipIf(page === "docs/tutorial-vpn.md" && !hasTun)(
    `every command block of ${page} works, one after the other`,
    async () => {
      const blocks = commandBlocks(page);
      expect(blocks).not.toBeEmpty();
      using home = tempDir();
      const script = ["set -eu", SET_UP, "set -x", ...blocks, "echo all blocks ran"].join("\n");
      const { code, stdout, stderr } = await here.run([...OWN_MACHINE, "bash", "-c", script], {
        cwd: home.path,
        env: {
          HOME: home.path,
          PATH: `${join(ROOT, "packages/cli/bin")}:${process.env["PATH"]}`,
          LD_LIBRARY_PATH: join(libraryPath("xbind"), ".."), // where an installed library would be found
        },
      });
      expect(stdout, stderr).toContain("hello from");
      expect(stdout, stderr).toContain("all blocks ran");
      expect(code).toBe(0);
    },
  );

test.skipIf(!hasTun)(
  "the VPN tutorial's script for OpenVPN moves the tunnel into the namespace",
  async () => {
    const blocks = blocksOf("docs/tutorial-vpn.md");
    const up = blocks.find(({ code }) => code.includes("ifconfig_local"))?.code ?? "";
    const script = `set -eu${SET_UP}ip netns add vpn
    ip tuntap add dev tun7 mode tun
    ${up.split("\n").slice(1).join("\n")}
    ip -n vpn -brief address show dev tun7
    ip -n vpn route show default
    ip netns del vpn`;
    const env = { dev: "tun7", ifconfig_local: "10.8.0.2", tun_mtu: "1400" };
    for (const [netmask, bits] of [
      ["255.255.255.0", 24],
      ["", 32],
    ] as const) {
      const more = netmask === "" ? {} : { ifconfig_netmask: netmask };
      const argv = [...OWN_MACHINE, "sh", "-c", script];
      const { code, stdout, stderr } = await here.run(argv, { env: { ...env, ...more } });
      expect(stdout, stderr).toMatch(new RegExp(`^tun7 .*10.8.0.2/${bits}.*\ndefault dev tun7`));
      expect(code).toBe(0);
    }
  },
);
