/** How a check went. A warning may be just what is meant; a check is skipped if another one that it needs failed. */
type Status = "ok" | "warning" | "failed" | "skipped";

/** One check of `xsocket doctor`. */
export interface Row {
  /** Stable: programs may compare it. */
  readonly name: string;
  readonly status: Status;
  /** What was found. */
  readonly found: string;
  /** What to do about it, where it is not ok. */
  readonly remedy?: string;
}

export function ok(name: string, found: string): Row {
  return { name, status: "ok", found };
}

export function failed(name: string, found: string, remedy: string): Row {
  return { name, status: "failed", found, remedy };
}

export function warned(name: string, found: string, remedy: string): Row {
  return { name, status: "warning", found, remedy };
}

export function skipped(name: string, found: string): Row {
  return { name, status: "skipped", found };
}

/** Whether nothing has to be done about it. */
export function isWell({ status }: Row): boolean {
  return status === "ok" || status === "skipped";
}
