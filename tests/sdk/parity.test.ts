/*
 * Runs the same program with Bun's own functions in the target namespace, and with ours from outside:
 * both must print the same lines.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { createNamespace, here, startServer } from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";

function script(file: string): string {
  return join(import.meta.dir, "parity", file);
}

test.each(["tcp", "udp", "fetch", "node"])(
  "%s: the SDK gives the same results as Bun's own functions in the target",
  async (name) => {
    const { key, cert } = await webCertificate();
    const env = { KEY: key, CERT: cert };
    await using target = await createNamespace();
    await target.run(["ip", "route", "add", "224.0.0.0/4", "dev", "lo"]);
    await using server = await startServer({ place: target });
    await using web = target.spawn([process.execPath, script("web.ts")], { env });
    await web.says(/ready/);
    const program = [process.execPath, script(`${name}.ts`)];
    const [bun, ours] = await Promise.all([
      target.run(program, { env }),
      here.run([...program, server.path], { env }),
    ]);
    const lines = ours.stdout.split("\n");
    expect(bun.stdout.split("\n").length, bun.stderr).toBeGreaterThan(5);
    for (const [i, line] of bun.stdout.split("\n").entries())
      expect(lines[i], ours.stderr).toBe(line);
    expect(ours.stderr).not.toContain("Warning");
  },
);
