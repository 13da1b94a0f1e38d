/** The subjects in Python, in environments of their own in the cache folder. */
import { join } from "node:path";
import { pythonWith } from "../test/support/environment.mjs";

const HERE = import.meta.dirname;
const LIBRARIES = join(HERE, "requirements.txt");
/** The environment that the tests against a real Airflow use as well. */
const AIRFLOW = join(HERE, "../test/interop/airflow/airflow-3.3.2.txt");
const lists = {
  ...Object.fromEntries(["s3fs", "gcsfs", "adlfs", "obstore", "awscrt"].map((name) => [name, LIBRARIES])),
  airflow: AIRFLOW,
};

/** The command of each subject; without those that cannot be installed here, whose reason is printed. */
export async function pythonSubjects() {
  const commands = new Map();
  for (const [name, list] of Object.entries(lists)) {
    try {
      const python = await pythonWith(list, list === LIBRARIES ? "bench" : undefined);
      commands.set(name, [python, "-W", "ignore", "subjects/subject.py", name]);
    } catch (error) {
      console.error(`without ${name}, which needs Python: ${error.message.trim().split("\n").at(-1)}`);
    }
  }
  return commands;
}
