/* `./dev performance`: docs/performance.md and its pictures, from the last run of each bench. */
import { join } from "node:path";
import { format } from "./format.ts";
import { readBenches, thisMachine } from "./performance/benches.ts";
import { page } from "./performance/page.ts";
import { draw, ratePlot, sdkPlot, timePlot, xbindPlot } from "./performance/plots.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = join(ROOT, "docs/performance.md");
const PLOTS = { rate: ratePlot, time: timePlot, xbind: xbindPlot, sdk: sdkPlot };

async function main(): Promise<void> {
  const benches = readBenches(join(ROOT, "build/bench"));
  for (const [name, plot] of Object.entries(PLOTS))
    await Bun.write(join(ROOT, `docs/performance-${name}.svg`), await draw(plot(benches)));
  await Bun.write(PAGE, page(benches, thisMachine()));
  format(PAGE);
}

try {
  await main();
} catch (error) {
  console.error(`performance: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
