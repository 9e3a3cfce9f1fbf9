import manifest from "../package.json" with { type: "json" };

/* The first two numbers of a version: bun:ffi is experimental, and may change whenever they do. */
function series(version: string): string {
  return version.split(".", 2).join(".");
}

/** The error message for a Bun of another series than xsocket is made for; undefined if it is the right one. */
export function wrongBun(
  version: string = Bun.version,
  wanted: string = manifest.engines.bun,
): string | undefined {
  if (series(version) === series(wanted)) return undefined;
  return `this is Bun ${version} and xsocket is made for ${wanted}: install that`;
}
