import { readFileSync } from "node:fs";
import { here, type TempDir } from "../harness/index.ts";

/** A key and a self-signed certificate in PEM form, for a host name, 127.0.0.1 and ::1. */
export async function makeCertificate(
  dir: Pick<TempDir, "join">,
  hostname: string,
): Promise<{ key: string; cert: string }> {
  const [key, cert] = [dir.join("key.pem"), dir.join("cert.pem")];
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
