# Settings of the example. Source it in bash in this folder: . ./env.sh
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Where large XComs go, for Python and TypeScript tasks alike.
export AIRFLOW__CORE__XCOM_BACKEND=airflow.providers.common.io.xcom.backend.XComObjectStorageBackend
export AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=${XCOM_PATH:-file://$here/store}
export AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD=1000
export AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION=gzip

# Tasks of the queue "typescript" run in Node, from the packed bundle in handlers/.
bundle() { printf '{"name":"%s","classpath":"airflow.dag_processing.bundles.local.LocalDagBundle","kwargs":{"path":"%s"}}' "$1" "$2"; }
export AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST="[$(bundle dags "$here/dags"),$(bundle handlers "$here/handlers")]"
export AIRFLOW__SDK__COORDINATORS='{"node":{"classpath":"airflow.sdk.coordinators.node.NodeCoordinator","kwargs":{"node_executable":"'$(command -v node)'","task_handler_bundle_name":"handlers"}}}'
export AIRFLOW__SDK__QUEUE_TO_COORDINATOR='{"typescript":"node"}'

# A small Airflow for one person on one machine.
export AIRFLOW_HOME=${AIRFLOW_HOME:-$here/home}
export AIRFLOW__CORE__EXECUTOR=LocalExecutor
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True
export AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL=10
