/**
 * Reports the public API, one file per entry point: every exported name with its declaration, as TypeScript sees it.
 *
 *     node scripts/api.mjs            # compares with etc/*.api.md; exits with 1 on a difference
 *     node scripts/api.mjs --write    # writes them: `npm run api`
 *
 * The declarations come from the sources, so no build is needed.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import ts from "typescript";

const ROOT = resolve(import.meta.dirname, "..");
const ETC = join(ROOT, "etc");

/** Returns the declarations that tsc would write to `dist`, by path. */
function declarations() {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.build.json"), ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const emitted = new Map();
  const program = ts.createProgram(fileNames, { ...options, emitDeclarationOnly: true, noEmit: false });
  program.emit(undefined, (name, text) => emitted.set(resolve(name), text));
  return emitted;
}

/** Returns a program over these declarations. @param {Map<string, string>} emitted @param {string[]} doors */
function programOf(emitted, doors) {
  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    types: ["node"],
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { readFile: read, fileExists } = host;
  host.readFile = (name) => emitted.get(resolve(name)) ?? read(name);
  host.fileExists = (name) => emitted.has(resolve(name)) || fileExists(name);
  // Without a build the folders of the declarations do not exist; TypeScript would not look into them.
  host.directoryExists = undefined;
  return ts.createProgram(doors, options, host);
}

/** @param {ts.TypeChecker} checker @param {ts.SourceFile} source */
function reportOf(checker, source) {
  const module = checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${source.fileName} exports nothing`);
  const printer = ts.createPrinter({ removeComments: true });
  const blocks = checker.getExportsOfModule(module).map((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const parts = (target.declarations ?? []).map((node) => {
      const whole = ts.isVariableDeclaration(node) ? node.parent.parent : node;
      return printer.printNode(ts.EmitHint.Unspecified, whole, whole.getSourceFile());
    });
    const text = parts.join("\n").replace(/^(?:export |declare |default )+/gm, "");
    return { name: symbol.name, text: target.name === symbol.name ? text : `${text} // as ${symbol.name}` };
  });
  return blocks.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the text of each report, by file name. */
async function reports() {
  const { exports } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const doors = Object.entries(exports).filter(([, target]) => typeof target === "object");
  const emitted = declarations();
  const files = doors.map(([, { types }]) => join(ROOT, types));
  const program = programOf(emitted, files);
  const checker = program.getTypeChecker();
  const entries = doors.map(([path], i) => {
    const name = path.replace(/^\./, "stowage");
    const source = program.getSourceFile(files[i] ?? "");
    if (!source) throw new Error(`${name} has no types at ${files[i]}`);
    const blocks = reportOf(checker, source);
    const head = `# ${name}\n\n${blocks.length} names. Written by \`npm run api\`, compared by \`npm run check\`.\n\n`;
    const body = blocks.map(({ text }) => text).join("\n\n");
    return [`${name.replaceAll("/", "-")}.api.md`, `${head}\`\`\`typescript\n${body}\n\`\`\`\n`];
  });
  return new Map(entries);
}

/** @param {Map<string, string>} wanted */
async function write(wanted) {
  await rm(ETC, { recursive: true, force: true });
  await mkdir(ETC, { recursive: true });
  for (const [name, text] of wanted) await writeFile(join(ETC, name), text);
}

/** Returns the names of reports that differ from the committed ones. @param {Map<string, string>} wanted */
async function differing(wanted) {
  const present = await readdir(ETC).catch(() => []);
  const names = new Set([...present, ...wanted.keys()]);
  const differs = await Promise.all(
    [...names].map(async (name) => {
      const committed = await readFile(join(ETC, name), "utf8").catch(() => undefined);
      return committed === wanted.get(name) ? undefined : name;
    }),
  );
  return differs.filter((name) => name !== undefined);
}

const wanted = await reports();
if (process.argv.includes("--write")) await write(wanted);
else {
  const names = await differing(wanted);
  if (names.length > 0) {
    console.error(
      `the exported surface changed: ${names.join(", ")}; run \`npm run api\` and commit etc/ if it is meant`,
    );
    process.exitCode = 1;
  }
}
