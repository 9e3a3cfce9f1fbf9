import { existsSync, rmSync, writeFileSync } from "node:fs";

const POLICY = "/usr/sbin/policy-rc.d"; // asked before a package's service is started

/* What is not installed yet. */
function missing(packages: readonly string[]): string[] {
  const query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"];
  const { stdout } = Bun.spawnSync([...query, ...packages]);
  const installed = new Set(
    stdout
      .toString()
      .split("\n")
      .filter((line) => line.includes(" ii"))
      .map((line) => line.split(" ")[0]),
  );
  return packages.filter((name) => !installed.has(name));
}

function apt(args: readonly string[]): string | undefined {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { exitCode, stdout, stderr } = Bun.spawnSync(["apt-get", "-qq", ...args], { env });
  return exitCode === 0 ? undefined : stdout.toString() + stderr.toString();
}

/**
 * Installs Debian packages, without removing or upgrading any other and without starting their
 * services.
 *
 * @throws {Error} with apt's words
 */
export function installPackages(packages: readonly string[]): void {
  const wanted = missing([...new Set(packages)]);
  if (wanted.length === 0) return;
  process.stderr.write(`installing ${wanted.join(" ")}\n`);
  const own = !existsSync(POLICY);
  if (own) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const install = ["install", "-y", "--no-remove", "--no-upgrade", "--no-install-recommends"];
    if (apt([...install, ...wanted]) === undefined) return;
    apt(["update"]);
    const failure = apt([...install, ...wanted]);
    if (failure !== undefined) throw new Error(`apt-get could not install them: ${failure}`);
  } finally {
    if (own) rmSync(POLICY);
  }
}
