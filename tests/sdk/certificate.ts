import { readFileSync } from "node:fs";
import { join } from "node:path";
import { here, tempDir } from "../harness/index.ts";

/** Makes a key and a self-signed certificate (PEM) for a host name, 127.0.0.1 and ::1, in a directory. */
export async function makeCertificate(
  directory: string,
  hostname: string,
): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const names = `subjectAltName=DNS:${hostname},IP:127.0.0.1,IP:::1`;
  const out = ["-keyout", key, "-out", cert, "-subj", `/CN=${hostname}`, "-addext", names];
  const request = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
  ];
  const { code, stderr } = await here.run([...request, "-nodes", "-days", "2", ...out]);
  if (code !== 0) throw new Error(`openssl makes no certificate: ${stderr}`);
  return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
}

let made: ReturnType<typeof makeCertificate> | undefined;

/** A key and a certificate for web.test, the same for all tests of a process. */
export function webCertificate(): ReturnType<typeof makeCertificate> {
  made ??= (async () => {
    using dir = tempDir();
    return await makeCertificate(dir.path, "web.test");
  })();
  return made;
}
