/* What the tests of `xsocket doctor` share. */
import { expect } from "bun:test";
import { here, knowsIpv6, type Place, type RunOptions, XSOCKET } from "../harness/index.ts";

/** A row of `xsocket doctor --json`. */
interface Row {
  readonly name: string;
  readonly status: "ok" | "warning" | "failed" | "skipped";
  readonly found: string;
  readonly remedy?: string;
}

/** The rows of every examination that finds both libraries. */
export const BASE = ["socket", "permission", "server", "tcp4", "udp4", "tcp6", "udp6", "namespace"];
/** Those of a port. */
export const PORT = ["port-free", "port-privilege", "port-firewall"];

interface Examination {
  readonly place?: Place;
  readonly start?: readonly string[];
  readonly env?: RunOptions["env"];
}

/** Returns the rows of an examination, and expects the exit code to agree with them. */
export async function examine(
  argv: readonly string[],
  { place = here, start = [], env = {} }: Examination = {},
) {
  const command = [...start, XSOCKET, "doctor", "--json", ...argv];
  const { code, stdout, stderr } = await place.run(command, { env });
  expect(stderr).toBe("");
  const { ok, checks }: { ok: boolean; checks: Row[] } = JSON.parse(stdout);
  expect(code).toBe(ok ? 0 : 1);
  expect(ok).toBe(checks.every(({ status }) => status === "ok" || status === "skipped"));
  return checks;
}

/** The row of that name. */
export function rowOf(rows: readonly Row[], name: string): Row {
  const row = rows.find((each) => each.name === name);
  if (row === undefined) throw new Error(`there is no row ${name}`);
  return row;
}

/** Whether a row is expected: those of IPv6 are not where the kernel has none. */
export const isToBe = (name: string): boolean => knowsIpv6 || !name.endsWith("6");

/** Expects that this row alone fails, with this finding and remedy. */
export function expectOnly(
  rows: readonly Row[],
  name: string,
  found: RegExp,
  remedy: RegExp,
): void {
  const broken = rows.filter(({ status }) => status === "failed" || status === "warning");
  expect(broken.map((row) => row.name)).toEqual([name]);
  expect(broken[0]?.found).toMatch(found);
  expect(broken[0]?.remedy).toMatch(remedy);
}
