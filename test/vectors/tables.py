"""Writes tables.json: files that stowage once read wrongly, by pyarrow 26.0.1, polars 2.1.0 and duckdb 2.0.1.

    pip install pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
    python test/vectors/tables.py > test/vectors/tables.json
"""
import base64, datetime as dt, decimal, json, os, tempfile

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

D = tempfile.mkdtemp() + "/"
def arrow(name, t, opts=None):
    if not isinstance(t, pa.Table): t=pa.table(t)
    with pa.ipc.new_stream(D+name+".arrow", t.schema, options=opts) as w: w.write_table(t)
def parq(name,t,**k):
    if not isinstance(t, pa.Table): t=pa.table(t)
    pq.write_table(t,D+name+".parquet",**k)
arrow("bom",{"a":["\ufeffx",None,"y"],"b":pa.array(["\ufeffx","q","y"]).dictionary_encode(),"c":pa.array(["\ufeffx","q","y"*20],pa.string_view()),"d":pa.array(["\ufeffx","q","y"],pa.large_string()),"e":[["\ufeffx"],[],None]})
bad=pa.array([b"ok",b"\xff\xfe"]).view(pa.string()); arrow("bad",{"a":bad})
names=["constructor","toString","toJSON","valueOf","__proto__","hasOwnProperty"]
st=pa.StructArray.from_arrays([pa.array([i,None]) for i in range(len(names))],names); arrow("names",{"s":st,"l":pa.array([[{"constructor":1}],None],pa.list_(pa.struct([("constructor",pa.int64())])))})
arrow("nanos",{"t":pa.array([-1,1999,-1001],pa.timestamp("ns","UTC")),"d":pa.array([-1,1999,-1001],pa.timestamp("ns")).dictionary_encode()})
arrow("far",{"t":pa.array([10**12*9],pa.timestamp("s"))})
arrow("slice",pa.table({"s":st,"t":["a","b"]}).slice(1))
arrow("int64dict",{"a":pa.DictionaryArray.from_arrays(pa.array([0,1,0],pa.int64()),pa.array(["x","y"]))})
arrow("ree",{"a":pa.RunEndEncodedArray.from_arrays(pa.array([2,3],pa.int32()),pa.array(["x","y"]))})
arrow("listview",{"a":pa.array([[1],[2]],pa.list_view(pa.int64()))})
arrow("largelist",{"a":pa.array([[1],[2]],pa.large_list(pa.int64()))})
arrow("lz4",{"a":[1]*1000},pa.ipc.IpcWriteOptions(compression="lz4"))
arrow("time",{"a":pa.array([1,2],pa.time32("ms")),"d":pa.array([1500,None],pa.duration("ms"))})
arrow("noname",pa.table([pa.array([1])],names=[""]))
arrow("map",{"m":pa.array([[("a",1)]],pa.map_(pa.string(),pa.int64()))})
arrow("union",{"m":pa.UnionArray.from_sparse(pa.array([0],pa.int8()),[pa.array([1])])})
arrow("interval",{"m":pa.array([(1,2,3)],pa.month_day_nano_interval())})
arrow("dec256",{"m":pa.array([decimal.Decimal("1.50")],pa.decimal256(60,2)),"n":pa.array([decimal.Decimal("1.50")],pa.decimal32(5,2))})
for u in ("s","ms","us","ns"): parq("dur_"+u,{"d":pa.array([1500,None,-1],pa.duration(u)),"x":[1,2,3]})
parq("time",{"a":pa.array([1,2,None],pa.time32("ms")),"b":pa.array([1,2,None],pa.time64("us")),"c":pa.array([1,2,86399999999999],pa.time64("ns"))})
parq("lt",{"u":pa.array([b"0"*16],pa.uuid()),"h":pa.array([1.5],pa.float16())})
parq("nested",{"t":pa.array([[dt.time(1)]],pa.list_(pa.time64("us")))})
parq("nesteddt",{"t":pa.array([[dt.datetime(2020,1,1)]],pa.list_(pa.timestamp("us")))})
parq("nano",{"t":pa.array([-1,1999,-1001],pa.timestamp("ns","UTC"))})
parq("lz4",{"a":["x"]*1000},compression="lz4"); 
parq("bin",{"b":pa.array([b"\xff"]),"f":pa.array([b"ab"],pa.binary(2)),"ls":pa.array(["x"],pa.large_string())})
parq("year0",{"d":pa.array([-800000,3000000],pa.date32())})
pl.DataFrame({"a":["x",None],"l":[[1],[2,3]],"d":[dt.timedelta(seconds=1.5)]*2,"t":[dt.time(1,2,3,4)]*2,"e":["q","w"]},schema_overrides={"e":pl.Enum(["q","w"])}).write_parquet(D+"polars.parquet")
for c in ("lz4","zstd","snappy"): pl.DataFrame({"a":["x"]*100}).write_parquet(D+f"polars_{c}.parquet",compression=c)
pl.DataFrame({"a":["x",None],"l":[[1],[2,3]],"b":[b"1",b"2"]}).write_ipc_stream(D+"polars.arrow")
pl.DataFrame({"a":["x",None],"b":[b"1",b"2"]}).write_ipc_stream(D+"polars2.arrow")
duckdb.sql(f"copy (select 1 as a, time '01:02:03' as t, interval '1 day' as i) to '{D}duck_i.parquet'")
duckdb.sql(f"copy (select 1 as a, time '01:02:03' as t, 'e'::enum('e','f') as e, uuid() as u, timestamptz '2020-01-01 00:00:00+00' as z) to '{D}duck.parquet'")
duckdb.sql(f"copy (select timestamptz '2020-01-01 00:00:00+00' as z, 1 as n) to '{D}duck.csv'")

files = {name: base64.b64encode(open(D + name, "rb").read()).decode() for name in sorted(os.listdir(D))}
print(json.dumps(files, indent=0))
