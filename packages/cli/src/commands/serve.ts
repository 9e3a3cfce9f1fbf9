import { runService } from "@xsocket/server";
import { command } from "../command.ts";
import { leaveDirectory } from "../directory.ts";
import { SERVE_ARGS } from "../serve-args.ts";
import { serviceOptions } from "../serve-options.ts";

export default command({
  meta: { description: "Hand out sockets of this network namespace" },
  args: SERVE_ARGS,
  async execute(args) {
    leaveDirectory();
    await runService(serviceOptions(args));
  },
});
