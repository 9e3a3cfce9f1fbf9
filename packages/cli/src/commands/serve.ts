import { command } from "../command.ts";
import { leaveDirectory } from "../directory.ts";
import { SERVE_ARGS } from "../serve-args.ts";

export default command({
  meta: { description: "Hand out sockets of this network namespace" },
  args: SERVE_ARGS,
  async run({ args }) {
    const { runService } = await import("@xsocket/server");
    const { serviceOptions } = await import("../serve-options.ts");
    leaveDirectory();
    await runService(serviceOptions(args));
  },
});
