// node verdicts.cjs SCHEMA < documents, one a line > true or false, one a line
const fs = require("fs");
const Ajv = require("ajv");

const schema = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
// Strict: an unknown or ignored keyword in the schema is an error here, never passed over.
const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
const documents = fs.readFileSync(0, "utf8").split("\n").filter((line) => line !== "");
process.stdout.write(documents.map((line) => validate(JSON.parse(line))).join("\n") + "\n");
