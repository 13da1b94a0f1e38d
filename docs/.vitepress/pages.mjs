/**
 * The pages of the documentation site: where each Markdown file of the repository is on the site, and the sidebar. The
 * files stay where they are, so that their links also work in the repository.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Files outside docs that are pages as well. */
const TOP = {
  "README.md": "overview.md",
  "ARCHITECTURE.md": "architecture.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "security.md",
  "CHANGELOG.md": "changelog.md",
};

/** The page of docs/README.md, which has a name of its own beside the home page. */
const ALL_PAGES = "pages.md";

/**
 * Returns the page of a file, or the file itself if it is none: `guides/reading.md` for `docs/guides/reading.md`.
 *
 * @param {string} file relative to the repository, with `/`
 */
export function pageOf(file) {
  if (file === "docs/README.md") return ALL_PAGES;
  if (file.startsWith("docs/")) return file.slice("docs/".length).replace(/(^|\/)README\.md$/, "$1index.md");
  return TOP[file] ?? file;
}

/**
 * Returns where a relative link of a file leads on the site; undefined if its target is no page, such as a folder.
 *
 * @param {string} file
 * @param {string} link
 */
export function linkOf(file, link) {
  const [, path = "", hash = ""] = /^([^#]*)(#.*)?$/.exec(link) ?? [];
  const target = posix.join(posix.dirname(file), decodeURI(path));
  const found = [target, posix.join(target, "README.md")].find((name) => name.endsWith(".md") && isPage(name));
  return found && `/${pageOf(found)}${hash}`;
}

/** @param {string} file */
function isPage(file) {
  return (file in TOP || file.startsWith("docs/")) && existsSync(join(ROOT, file));
}

/** The anchor that GitHub gives to a heading, so that one link serves both. @param {string} heading */
export function anchorOf(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** The first heading of a file. @param {string} file */
function titleOf(file) {
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(ROOT, file), "utf8")) ?? [];
  if (!title) throw new Error(`${file} has no heading`);
  return title.replaceAll("`", "");
}

/** An entry of the sidebar; none for a page that does not exist. @param {string} file @param {string} [text] */
function entry(file, text) {
  if (!existsSync(join(ROOT, file))) return [];
  return [{ text: text ?? titleOf(file), link: `/${pageOf(file).replace(/(?:index)?\.md$/, "")}` }];
}

/** The pages of a folder but its index, in the order of their names. @param {string} folder */
function folderOf(folder) {
  if (!existsSync(join(ROOT, folder))) return [];
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md") && name !== "README.md");
  return names.sort().flatMap((name) => entry(`${folder}/${name}`));
}

/** The entry points of the package, as TypeDoc has written their pages. */
function doors() {
  const folder = join(ROOT, "docs/api");
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const pages = names.filter((name) => name.endsWith(".md") && name !== "index.md").sort();
  return pages.flatMap((name) => entry(`docs/api/${name}`));
}

const guide = (/** @type {string} */ name, /** @type {string} */ text) => entry(`docs/guides/${name}.md`, text);
const store = (/** @type {string} */ name, /** @type {string} */ text) => entry(`docs/stores/${name}.md`, text);

/** The sidebar, from what exists. Every page but the home page must be in it: the test of the site checks that. */
export function sidebar() {
  const group = (/** @type {string} */ text, /** @type {object[]} */ items, collapsed = false) => {
    return items.length > 0 ? [{ text, collapsed, items }] : [];
  };
  return [
    ...group("Getting started", [
      ...entry("README.md", "Overview"),
      ...entry("docs/which-call.md"),
      ...entry("docs/README.md", "All pages"),
    ]),
    ...group("Guides", [
      ...guide("reading", "Reading"),
      ...guide("writing", "Writing"),
      ...guide("listing", "Listing and deleting"),
      ...guide("copying", "Copying and moving"),
      ...entry("docs/sync.md", "Sync"),
      ...guide("links", "Signed links and forms"),
      ...guide("buckets", "Buckets"),
      ...guide("web", "Web applications"),
      ...entry("docs/attributes.md", "Attributes"),
      ...entry("docs/encryption.md", "Encryption and checksums"),
      ...entry("docs/codecs.md", "Compression"),
      ...guide("concurrency", "Concurrent writers"),
      ...guide("errors", "Errors"),
      ...guide("timeouts-and-retries", "Timeouts and retries"),
      ...guide("observability", "Observability"),
      ...guide("limits", "Limits and memory"),
      ...entry("docs/symlinks.md", "Symlinks and odd names"),
      ...guide("bundlers", "Bundlers and small bundles"),
    ]),
    ...group("Stores", [
      ...entry("docs/stores/README.md", "Differences"),
      ...entry("docs/credentials.md", "Credentials"),
      ...store("s3", "S3 and compatible services"),
      ...store("gcs", "Google Cloud Storage"),
      ...store("azure", "Azure Blob Storage"),
      ...store("files", "Files and memory"),
      ...store("own-driver", "Your own driver"),
    ]),
    ...group("XComs and Airflow", [
      ...guide("xcoms", "XComs"),
      ...entry("docs/airflow.md"),
      ...entry("docs/compatibility.md"),
      ...folderOf("docs/systems"),
    ]),
    ...group("Other runtimes", [...entry("docs/runtimes/README.md", "Claims"), ...folderOf("docs/runtimes")]),
    ...group("Command and operations", [
      ...entry("docs/cli.md", "The command"),
      ...entry("docs/cli-options.md", "All options of the command"),
      ...entry("docs/operations.md", "Operations"),
    ]),
    ...group("Comparison and migration", [
      ...entry("docs/comparison.md"),
      ...entry("docs/migrating.md"),
      ...entry("docs/fsspec.md"),
    ]),
    ...group("Reference", [...entry("docs/api/index.md", "All entry points"), ...doors()], true),
    ...group(
      "Design",
      [
        ...entry("ARCHITECTURE.md"),
        ...entry("docs/contract.md"),
        ...entry("docs/testing.md"),
        ...entry("docs/adr/README.md", "Decision records"),
        ...folderOf("docs/adr"),
      ],
      true,
    ),
    ...group("Project", [...entry("SECURITY.md"), ...entry("CHANGELOG.md"), ...entry("CONTRIBUTING.md")]),
  ];
}
