import manifest from "../package.json" with { type: "json" };

/* The versions that keep what bun:ffi promises, which is experimental: those of one minor number. */
function series(version: string): string {
  return version.split(".", 2).join(".");
}

/** What there is to say of a Bun that this was not made for; undefined of one that it was made for. */
export function wrongBun(
  version: string = Bun.version,
  wanted: string = manifest.engines.bun,
): string | undefined {
  if (series(version) === series(wanted)) return undefined;
  return `this is Bun ${version} and xsocket is made for ${wanted}: install that`;
}
