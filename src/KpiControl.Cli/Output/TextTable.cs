using Spectre.Console;

namespace KpiControl.Cli.Output;

/// <summary>Aligned columns under upper-case headings, as wide as their content: whoever reads decides where to wrap.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<Cell[]> rows = [];
    private readonly HashSet<int> numeric = [];

    public int Count => rows.Count;

    public TextTable Numeric(params int[] columns)
    {
        numeric.UnionWith(columns);
        return this;
    }

    public void Row(params Cell[] cells) => rows.Add(cells);

    public void WriteTo(Surroundings world, string indent = "")
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = headings.Any(heading => heading.Length > 0) };
        for (var i = 0; i < headings.Length; i++)
            table.AddColumn(new TableColumn(new Text(headings[i], new Style(decoration: Decoration.Bold)))
            {
                Padding = new Padding(0, 0, 2, 0), NoWrap = true, Alignment = numeric.Contains(i) ? Justify.Right : Justify.Left,
            });
        foreach (var row in rows)
            table.AddRow(row.Select(cell => new Text(cell.Text, cell.Style is null ? Style.Plain : Style.Parse(cell.Style))));
        Rendered.WriteTo(world, table, indent);
    }
}
