/** Generates shell completion scripts from the tree of commands. */
import { Argument, type Command, type Option } from "commander";
import type { Cli } from "./command.js";
import { jsonLine, put } from "./format.js";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletion(cli: Cli, program: Command): void {
  cli
    .add(program, {
      name: "completion",
      summary: "print a completion script for bash, zsh or fish",
      examples: [
        ["source <(stowage completion bash)", "now; in ~/.bashrc for every shell"],
        ['stowage completion zsh > "$fpath[1]/_stowage"', "zsh"],
        ["stowage completion fish > ~/.config/fish/completions/stowage.fish", "fish"],
      ],
    })
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(
      cli.run(async ({ io, json }, shell: Shell) => {
        const script = WRITERS[shell](places(program));
        await (json ? jsonLine(io.stdout, { shell, script }) : put(io.stdout, script));
      }),
    );
}

interface Word {
  text: string;
  summary: string;
}

interface Choice {
  flags: readonly string[];
  summary: string;
  takesValue: boolean;
  values: readonly string[];
}

/** A position in a command line: `` or `xcom` or `xcom ls`. */
interface Place {
  path: string;
  commands: readonly Word[];
  options: readonly Choice[];
  /** The first argument's values, if limited to these. */
  values: readonly string[];
}

function places(program: Command): Place[] {
  const walk = (command: Command, path: string, inherited: readonly Option[]): Place[] => {
    const options = [...command.options, ...inherited];
    const commands = command.commands.map((child) => ({ text: child.name(), summary: child.summary() }));
    const values = command.registeredArguments[0]?.argChoices ?? [];
    const below = command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`.trim(), options));
    return [
      { path, commands, options: [...options.filter(({ hidden }) => !hidden).map(choice), HELP], values },
      ...below,
    ];
  };
  return walk(program, "", []);
}

const HELP: Choice = { flags: ["-h", "--help"], summary: "print help", takesValue: false, values: [] };

function choice({ short, long, description, required, argChoices = [] }: Option): Choice {
  const flags = [short, long].filter((flag) => flag !== undefined);
  return { flags, summary: description, takesValue: required, values: argChoices };
}

const WRITERS: Readonly<Record<Shell, (places: readonly Place[]) => string>> = { bash, zsh, fish };

/** Determines the position: the words that are commands, each below the previous. */
function descent(all: readonly Place[]): string {
  const known = all.filter(({ path }) => path).map(({ path }) => `"${path}"`);
  return `case "\${place:+$place }$word" in ${known.join("|")}) place="\${place:+$place }$word";; esac`;
}

function bash(all: readonly Place[]): string {
  return `# bash completion for stowage
_stowage() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" place="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${descent(all)}
  done
  case "$place $prev" in
${valueCases(all)
  .map(({ pattern, values }) => `    ${pattern}) words="${values.join(" ")}";;`)
  .join("\n")}
${fileCases(all)
  .map((pattern) => `    ${pattern}) return;;`)
  .join("\n")}
    *) case "$place" in
${all.map((place) => `      "${place.path}") words="${wordsOf(place).join(" ")}";;`).join("\n")}
      esac
      if [[ "$cur" == -* ]]; then case "$place" in
${all.map(({ path, options }) => `      "${path}") words="${options.flatMap(({ flags }) => flags).join(" ")}";;`).join("\n")}
      esac; fi;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _stowage stowage
`;
}

function zsh(all: readonly Place[]): string {
  return `#compdef stowage
# zsh completion for stowage
_stowage() {
  local place="" word
  local -a found
  for word in \${words[2,CURRENT-1]}; do
    ${descent(all)}
  done
  case "$place \${words[CURRENT-1]}" in
${valueCases(all)
  .map(({ pattern, values }) => `    ${pattern}) compadd -- ${values.join(" ")}; return;;`)
  .join("\n")}
${fileCases(all)
  .map((pattern) => `    ${pattern}) _files; return;;`)
  .join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    case "$place" in
${all.map(({ path, options }) => `      "${path}") found=(${options.flatMap(described).join(" ")});;`).join("\n")}
    esac
  else
    case "$place" in
${all.map(({ path, commands, values }) => `      "${path}") found=(${[...commands, ...plain(values)].map(colon).join(" ")});;`).join("\n")}
    esac
  fi
  if (( $#found )); then _describe stowage found; else _files; fi
}
if [[ "$funcstack[1]" == _stowage ]]; then _stowage "$@"; else compdef _stowage stowage; fi
`;
}

function fish(all: readonly Place[]): string {
  const lines = all.flatMap((place) => {
    const at = `complete -c stowage -n '__stowage_at "${place.path}"'`;
    const words = [...place.commands, ...plain(place.values)];
    const options = place.options.map((option) => `${at} ${fishOption(option)}`);
    return [...words.map(({ text, summary }) => `${at} -f -a ${text} -d ${single(summary)}`), ...options];
  });
  return `# fish completion for stowage
function __stowage_at
  set -l place
  for word in (commandline -opc)[2..]
    switch "$place $word"
${all
  .filter(({ path }) => path)
  .map(({ path }) => `      case "${path.includes(" ") ? path : ` ${path}`}"\n        set place "${path}"`)
  .join("\n")}
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishOption({ flags, summary, takesValue, values }: Choice): string {
  const named = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = values.length > 0 ? [`-x -a ${single(values.join(" "))}`] : takesValue ? ["-r"] : [];
  return [...named, ...value, `-d ${single(summary)}`].join(" ");
}

/** Returns the possible next words besides options. */
function wordsOf({ commands, values }: Place): string[] {
  return [...commands.map(({ text }) => text), ...values];
}

/** Returns options with few possible values, as patterns of "place option". */
function valueCases(all: readonly Place[]): { pattern: string; values: readonly string[] }[] {
  return all.flatMap(({ path, options }) =>
    options
      .filter(({ values }) => values.length > 0)
      .map(({ flags, values }) => ({ pattern: patternOf(path, flags), values })),
  );
}

/** Returns options with a free value, for which the shell's own file name completion is best. */
function fileCases(all: readonly Place[]): string[] {
  return all.flatMap(({ path, options }) =>
    options
      .filter(({ takesValue, values }) => takesValue && values.length === 0)
      .map(({ flags }) => patternOf(path, flags)),
  );
}

function patternOf(path: string, flags: readonly string[]): string {
  return flags.map((flag) => `"${path} ${flag}"`).join("|");
}

function plain(values: readonly string[]): Word[] {
  return values.map((text) => ({ text, summary: "" }));
}

function described({ flags, summary }: Choice): string[] {
  return flags.map((text) => colon({ text, summary }));
}

/** Formats `'word:what it does'`, as zsh's _describe takes it. */
function colon({ text, summary }: Word): string {
  return single(summary ? `${text}:${summary.replaceAll(":", "\\:")}` : text);
}

function single(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
