/** `xcom push|pull|purge|show|ls|export|import`. */
import { type Command, Option } from "commander";
import type { Cli } from "../command.js";
import { parseCount } from "../options.js";
import { importXComs } from "../xcom/import.js";
import { exportXComs, list } from "../xcom/list.js";
import { show } from "../xcom/show.js";
import { pull, purge, push, XCOM_CODECS } from "../xcom/values.js";

const REFERENCE = "s3://lake@bucket/xcom/sales/run_1/extract/write-…/return_value.json.gz";

export function addXCom(cli: Cli, program: Command): void {
  const xcom = cli.add(program, {
    name: "xcom",
    summary: "Airflow's XComs in object storage",
    details: "Settings are Airflow's: AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH, _THRESHOLD and _COMPRESSION.",
    examples: [["stowage xcom ls s3://lake@bucket/xcom", "what is stored"]],
  });
  addPush(cli, xcom);
  addByReference(cli, xcom);
  addList(cli, xcom);
  addExport(cli, xcom);
  addImport(cli, xcom);
}

function addPush(cli: Cli, xcom: Command): void {
  cli
    .add(xcom, {
      name: "push",
      summary: "store a JSON value and print what the row is to hold",
      examples: [
        ["stowage xcom push --dag sales --run run_1 --task extract value.json", "from a file"],
        ["jq .rows big.json | stowage xcom push --base s3://lake@bucket/xcom --dag d --run r --task t", "from stdin"],
      ],
    })
    .argument("[file]", 'a JSON file, or "-" for stdin', "-")
    .requiredOption("--dag <id>", "Dag")
    .requiredOption("--run <id>", "Dag run")
    .requiredOption("--task <id>", "task")
    .option("--key <key>", "key of the XCom", "return_value")
    .option("--ti <uuid>", "task instance, where it is known")
    .option("--base <path>", "base path, in place of the setting")
    .option("--threshold <bytes>", "an object from this size on; else the setting, else 0", parseCount)
    .addOption(new Option("--compression <codec>", "in place of the setting").choices(XCOM_CODECS))
    .addOption(new Option("--layout <layout>", "where the object goes").choices(["ti", "uuid"]).default("ti"))
    .action(cli.run(push));
}

function addByReference(cli: Cli, xcom: Command): void {
  cli
    .add(xcom, {
      name: "pull",
      summary: "print the value that a reference leads to, as JSON",
      examples: [[`stowage xcom pull ${REFERENCE} | jq .`, "any codec, any Airflow from 3.0 on"]],
    })
    .argument("<reference...>", "what the row holds")
    .action(cli.run(pull));
  const showing = cli.add(xcom, {
    name: "show",
    summary: "explain a reference: owner, size, codec, preview",
    examples: [
      [`stowage xcom show ${REFERENCE}`, "in place of the reference that the UI shows"],
      ["stowage xcom show --database airflow.db --dag sales --run run_1", "what the rows of a run hold"],
    ],
  });
  withFilter(withDatabase(showing.argument("[reference...]", "what the row holds"))).action(cli.run(show));
  cli
    .add(xcom, {
      name: "purge",
      summary: "delete the objects that references lead to",
      details: "Rows are not touched. Paths that are not XCom references are refused.",
      examples: [["stowage xcom ls --refs --dag old | xargs stowage xcom purge", "all of a Dag"]],
    })
    .argument("<reference...>", "what the rows held")
    .action(cli.run(purge));
}

const WHERE = "base path, or below it a Dag, a run or a task; else the setting";

function addList(cli: Cli, xcom: Command): void {
  const command = cli.add(xcom, {
    name: "ls",
    summary: "list XComs by what is in storage, with no database, or by the rows of one",
    examples: [
      ["stowage xcom ls --database postgresql://reader@host/airflow --dag sales", "every row, small values included"],
      ["stowage xcom ls s3://lake@bucket/xcom/sales/run_1", "those of a run"],
      ["stowage xcom ls --refs --task extract | xargs stowage xcom show", "and explain each"],
    ],
  });
  withFilter(withDatabase(command.argument("[path]", WHERE)))
    .option("--refs", "print references only, one a line")
    .action(cli.run(list));
}

function addExport(cli: Cli, xcom: Command): void {
  const command = cli.add(xcom, {
    name: "export",
    summary: "copy XComs out of storage as JSON files, decoded",
    details: "index.jsonl says of each file which XCom it was.",
    examples: [["stowage xcom export s3://lake@bucket/xcom/sales/run_1 --to backup", "a run, to a local folder"]],
  });
  withFilter(command.argument("[path]", WHERE))
    .requiredOption("--to <path>", "where the files go")
    .action(cli.run(exportXComs));
}

function addImport(cli: Cli, xcom: Command): void {
  const command = cli.add(xcom, {
    name: "import",
    summary: "recreate rows from objects in storage or from an export",
    details:
      "From the folder of an export, stores the values again; from any other path, rows get the references of the objects " +
      "below it. A row that is there stays. Of several objects of one task and key the newest counts: a path tells " +
      "neither attempt nor map index.",
    examples: [
      [
        "stowage xcom import s3://lake@bucket/xcom/sales --into postgresql://writer@host/db",
        "references to what is there",
      ],
      [
        "stowage xcom import backup --base s3://lake@bucket/xcom --into https://airflow.example.com",
        "values of an export",
      ],
    ],
  });
  withFilter(command.argument("[path]", `folder of an export, or ${WHERE}`))
    .requiredOption("--into <address>", "a Postgres, or Airflow's REST API with the token in AIRFLOW_API_TOKEN")
    .option("--table <name>", "table of the Postgres, made if need be; else stowage_xcom")
    .option("--base <path>", "where values of an export are stored, in place of the setting")
    .option("--replace", "give rows that are there the new value")
    .action(cli.run(importXComs));
}

function withDatabase(command: Command): Command {
  const what = "Airflow's metadata database, Postgres or a SQLite file; else AIRFLOW__DATABASE__SQL_ALCHEMY_CONN";
  return command.option("--database [address]", what);
}

function withFilter(command: Command): Command {
  return command
    .option("--dag <id>", "only of this Dag")
    .option("--run <id>", "only of this Dag run")
    .option("--task <id>", "only of this task")
    .option("--key <key>", "only with this key");
}
