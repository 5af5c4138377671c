// Reads a Parquet file with hyparquet and prints its rows as JSON.
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'

const file = await asyncBufferFromFile(process.argv[2])
const rows = await parquetReadObjects({ file })
const plain = (_, value) => (typeof value === 'bigint' ? Number(value) : value)
console.log(JSON.stringify(rows, plain))
