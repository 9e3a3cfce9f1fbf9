export * from "./activation.ts";
export * from "./ask.ts";
export * from "./drop.ts";
export * from "./log.ts";
export * from "./log-to.ts";
export * from "./metrics.ts";
export * from "./notify.ts";
export * from "./run.ts";
