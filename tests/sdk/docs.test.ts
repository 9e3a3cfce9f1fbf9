/*
 * Runs the examples of docs/sdk.md (only the path of the control socket is replaced), of the doc
 * comments and of the packages' READMEs, and compares docs/errors.md with the texts of the errors.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as client from "@xsocket/client";
import { explanations } from "../../packages/client/src/_explanations.ts";
import { makeCertificate } from "./certificate.ts";
import {
  createNamespace,
  hasIpv6,
  here,
  OWN_MOUNTS,
  ROOT,
  startServer,
  tempDir,
  textOf,
} from "../harness/index.ts";

const SOURCES = "packages/client/src";

interface Example {
  readonly name: string;
  readonly code: string;
}

function ofPage(): Example[] {
  const text = textOf("docs/sdk.md");
  return [...text.matchAll(/^#+ ([^\n]+)\n((?:(?!^#).)*?)^```ts\n(.*?)^```$/gms)].map(
    ([, name = "", , code = ""]) => ({ name, code }),
  );
}

/* The TypeScript examples in the packages' READMEs; the command's has none. */
function ofPackages(): Example[] {
  return [...new Bun.Glob("packages/*/README.md").scanSync(ROOT)].flatMap((page) => {
    const found = textOf(page).matchAll(/^```ts\n(.*?)^```$/gms);
    return Array.from(found, ([, code = ""]) => ({ name: page, code }));
  });
}

const NAMES = Object.keys(client);

/* What the examples in doc comments use without declaring it: every public name, and these. */
const PRELUDE = `
  import * as dgram from "node:dgram";
  import * as http from "node:http";
  import * as https from "node:https";
  import * as tls from "node:tls";
  import { ${NAMES.join(", ")} } from "@xsocket/client";
  const session = new Session({ via: "/run/xsocket/lan" });
  const [key, cert] = [process.env["KEY"] ?? "", process.env["CERT"] ?? ""];
  void [key, cert, dgram, http, https, tls, session, ${NAMES.join(", ")}];`;

function ofComments(): Example[] {
  const files = readdirSync(join(ROOT, SOURCES)).filter((name) => /^[a-z_-]+\.ts$/.test(name));
  return files.flatMap((file) => {
    const text = textOf(`${SOURCES}/${file}`);
    const found = [...text.matchAll(/^ *\* @example\n((?: *\* (?!@).*\n)+)/gm)];
    return found.map(([, lines = ""], i) => {
      const code = lines.replaceAll(/^ *\* /gm, "");
      return { name: `${file}, example ${i + 1}`, code: `${PRELUDE}\n{\n${code}}\n` };
    });
  });
}

/* What the examples connect to in the target: web servers, and a listener that answers at port 25. */
const PEERS = `
  const web = { hostname: "10.64.0.1", fetch: () => new Response("a page") };
  Bun.serve({ ...web, port: 80 });
  Bun.serve({ ...web, port: 443, tls: { key: process.env.KEY, cert: process.env.CERT } });
  Bun.listen({ hostname: "10.64.0.1", port: 25, socket: { data: (s) => void s.end("250 you\\r\\n") } });
  console.log("ready");`;

/* A client that leaves before the relay has connected does no harm. */
const MORE: Record<string, string> = {
  "A relay": `
    await new Promise((over) => client.on("close", over));
    const early = net.connect(path, () => early.destroy());`,
};

/* Listening examples would run for ever, and others may get their answers only after their last line. */
const END = `
  process.on("SIGTERM", () => process.exit(0));
  await Bun.sleep(100); // for what must not happen
  console.error("at the end");
  setInterval(() => {}, 1000);`;

const KNOWN = 'mount --bind "$0" /etc/hosts && exec "$@"';

async function run(
  example: Example,
  path: string,
  hosts: string,
  env: Record<string, string>,
): Promise<{ code: number; said: string }> {
  const text = example.code
    .replaceAll(/\/run\/xsocket\/(lan|vpn)/g, path)
    .replaceAll(/\/run\/xsocket(?=\/own)/g, dirname(path));
  const options = { cwd: join(ROOT, "tests"), stdin: "", env };
  await using program = here.spawn(
    [...OWN_MOUNTS, "sh", "-c", KNOWN, hosts, process.execPath, "run", "-"],
    options,
  );
  await program.write(`${text}\n${MORE[example.name] ?? ""}\n${END}\n`);
  await program.endInput();
  const expected = SAID[example.name] ?? /^/;
  await program.says(expected);
  if (example.code.includes("untilSignal")) program.kill();
  await program.says(/at the end/);
  program.kill();
  const code = await program.finished();
  return { code, said: program.stdout + program.stderr.replace("at the end\n", "") };
}

const SAID: Record<string, RegExp> = {
  Listen: /^echo at port 7000$/m,
  "Serve HTTP": /^serving at http:\/\/localhost:8080\/$/m,
  Connect: /250 you[^]*closed/,
  Fetch: /^200 a page$/m,
  "Plain sockets and sessions": /^\d+$/m,
  "Host names": /^200$/m,
  "node:net, node:http, node:dgram": /^200$/m,
  "A relay": /^250 you\s*$/,
  "packages/client/README.md": /^a page of over there$/m,
  "packages/protocol/README.md": /^585330310{7}a0{7}10{8}$[^]*"request"/m,
  "packages/server/README.md": /^serving at \/.*\/own$/m,
  "packages/xbind-native/README.md": /libxbind\.so/,
  "A server in the program": /^descriptor \d+ comes from our own server$/m,
  Errors: /^Start a server with "xsocket serve \/run\/nowhere"/m,
};

describe("the examples", () => {
  test.skipIf(!hasIpv6).each([
    ["docs/sdk.md", ofPage, 11],
    ["the doc comments", ofComments, 9],
    ["the packages' pages", ofPackages, 4],
  ] as const)("of %s work", async (_, collect, atLeast) => {
    await using target = await createNamespace();
    await target.run(["ip", "address", "add", "10.64.0.1/24", "dev", "lo"]);
    await using server = await startServer({ place: target });
    using dir = tempDir();
    const { key, cert } = await makeCertificate(dir.path, "web.test");
    const ca = { NODE_EXTRA_CA_CERTS: dir.join("cert.pem") };
    const env = { KEY: key, CERT: cert, ...ca, TMPDIR: dir.path };
    await using peers = target.spawn([process.execPath, "-e", PEERS], { env });
    await peers.says(/ready/);
    writeFileSync(dir.join("hosts"), "10.64.0.1 web.test\n");
    const examples = collect();
    expect(examples.length).toBeGreaterThanOrEqual(atLeast);
    // One after the other: several of them listen at the same port.
    for (const example of examples) {
      const { code, said } = await run(example, server.path, dir.join("hosts"), env);
      expect(code, `${example.name}: ${said}`).toBe(0);
      expect(said, example.name).toMatch(SAID[example.name] ?? /^/);
    }
  });

  // the oldest that the page allows, and the types of the DOM, which programs with code for browsers have
  test.each(["ES2023", "ESNext, DOM"])(
    "compile under the strictest options of TypeScript, with lib %s",
    async (libs) => {
      using dir = tempDir();
      const typeRoots = [join(ROOT, "node_modules/@types")];
      const config = {
        extends: join(ROOT, "tsconfig.json"),
        compilerOptions: { typeRoots, lib: libs.split(", "), noUnusedLocals: false },
        include: [dir.join("*.ts")],
      };
      await Bun.write(dir.join("tsconfig.json"), JSON.stringify(config));
      await here.run(["ln", "-s", join(ROOT, "tests/node_modules"), dir.join("node_modules")]);
      for (const [i, { code }] of [...ofPage(), ...ofComments(), ...ofPackages()].entries())
        await Bun.write(dir.join(`example-${i}.ts`), code);
      const tsc = [join(ROOT, "node_modules/.bin/tsc"), "-p", dir.path];
      expect((await here.run(tsc)).stdout).toBe("");
    },
  );
});

test("docs/sdk.md mentions every public name", () => {
  const page = textOf("docs/sdk.md");
  expect(NAMES.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([]);
});

test("docs/errors.md lists exactly the errors of the SDK, with their texts", () => {
  const page = textOf("docs/errors.md");
  for (const [step, codes] of Object.entries(explanations("SERVER"))) {
    const [, section = ""] = page.split(`(\`${step}\`)\n`);
    const [rows = ""] = section.split("\n#");
    for (const [code, [found, remedy]] of Object.entries(codes)) {
      const cells = [code, found, remedy].map((text) => text.replaceAll(/\s+/g, " "));
      const row = rows.split("\n").find((line) => line.startsWith(`| ${code} `)) ?? "";
      expect(
        row
          .split("|")
          .map((cell) => cell.trim())
          .slice(1, 4),
        `${step} ${code}`,
      ).toEqual(cells);
    }
    const listed = [...rows.matchAll(/^\| (E[^|]*?) +\|/gm)].map(([, code]) => code ?? "");
    expect(listed, step).toEqual(Object.keys(codes));
  }
});
