/*
 * For `./dev programs [NAME...]`, which installs them: prints the Debian packages that the chosen
 * programs need and that are not there.
 */
import { choose } from "./choose.ts";

function missing(packages: readonly string[]): string[] {
  const query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n"];
  const { stdout } = Bun.spawnSync([...query, ...packages]);
  const lines = stdout.toString().split("\n");
  const installed = lines.filter((line) => line.includes(" ii")).map((line) => line.split(" ")[0]);
  const isThere = new Set(installed);
  return packages.filter((name) => !isThere.has(name));
}

const needed = choose(process.argv.slice(2)).flatMap(({ packages }) => packages);
process.stdout.write(`${missing([...new Set(needed)]).join("\n")}\n`);
