export * from "./ask.ts";
export { CWD_FD, findIdentity, type Identity, type Successor } from "./drop.ts";
export type { LogFormat } from "./log-line.ts";
export * from "./log-to.ts";
export * from "./metrics.ts";
export * from "./run.ts";
