import webpack from "webpack";

const configuration = {
  mode: "production",
  target: "node20",
  entry: "./main.mjs",
  output: { path: `${import.meta.dirname}/out/webpack`, filename: "main.mjs", module: true, chunkFormat: "module" },
  experiments: { outputModule: true },
};

webpack(configuration, (error, stats) => {
  if (error || stats.hasErrors()) process.exitCode = 1;
  console.log(error ?? stats.toString("errors-warnings"));
});
