import { nodeResolve } from "@rollup/plugin-node-resolve";

export default {
  input: "main.mjs",
  output: { dir: "out/rollup", format: "es", entryFileNames: "main.mjs" },
  plugins: [nodeResolve({ exportConditions: ["node"] })],
};
