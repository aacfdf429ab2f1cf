namespace KpiControl.Cli.Output;

internal enum OutputFormat { Table, Wide, Json, Yaml, Name, Markdown }
