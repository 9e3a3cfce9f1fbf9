export * from "./activation.ts";
export * from "./drop.ts";
export * from "./log.ts";
export * from "./notify.ts";
