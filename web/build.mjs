// The package into dist/, and what a site needs into voiceprint/web/assets, which the wheel carries; with --tests, the tests.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { build } from "esbuild";

const RUNTIME = "ort-wasm-simd-threaded.wasm";
const ASSETS = "../voiceprint/web/assets";
const TYPESCRIPT = "node_modules/typescript/bin/tsc";
const small = { minify: true, legalComments: "none" };
const common = { bundle: true, format: "esm", target: "es2022", logLevel: "warning" };

/** Modules of the server's page lie beside the site's own, so they are imported from there and not bundled. */
const page = {
  name: "page",
  setup({ onResolve }) {
    onResolve({ filter: /server\/page\/[a-z]+\.js$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
    onResolve({ filter: /^\.\/home\.ts$/ }, ({ importer }) => (importer.endsWith("tab.ts") ? { path: "./home.js", external: true } : undefined));
  },
};

if (process.argv.includes("--tests")) {
  rmSync("build/test", { recursive: true, force: true });
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...common, entryPoints, outdir: "build/test", platform: "node", packages: "external", outExtension: { ".js": ".mjs" } });
} else {
  rmSync("dist", { recursive: true, force: true });
  execFileSync(process.execPath, [TYPESCRIPT, "-p", "tsconfig.build.json"], { stdio: "inherit" });
  await build({ ...common, ...small, entryPoints: { "voiceprint-web": "src/index.ts", worker: "src/worker/worker.ts" }, outdir: "dist/bundle" });
  copyFileSync("../LICENSE", "dist/LICENSE");
  rmSync(ASSETS, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  const entryPoints = { engine: "src/worker/worker.ts", home: "src/site/home.ts", tab: "src/site/tab.ts", sw: "src/site/service_worker.ts" };
  await build({ ...common, entryPoints, outdir: ASSETS, ...small, plugins: [page] });
  const runtime = `node_modules/onnxruntime-web/dist/${RUNTIME}`;
  const { version } = JSON.parse(readFileSync("node_modules/onnxruntime-web/package.json", "utf8"));
  copyFileSync(runtime, `${ASSETS}/${RUNTIME}`);
  const sha256 = createHash("sha256").update(readFileSync(runtime)).digest("hex");
  writeFileSync(`${ASSETS}/assets.json`, `${JSON.stringify({ runtime: { name: RUNTIME, version, sha256 } }, null, 2)}\n`);
}
