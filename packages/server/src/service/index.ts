export * from "./activation.ts";
export * from "./log.ts";
export * from "./notify.ts";
