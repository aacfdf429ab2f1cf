namespace KpiControl.Cli.Output;

/// <summary>Names and values, one a line: one thing's own page. Empty values are left out.</summary>
internal sealed class Sheet
{
    private readonly TextTable table = new("", "");

    public Sheet Line(string name, Cell value)
    {
        if (value.Text.Length > 0)
            table.Row(new Cell(name, "grey"), value);
        return this;
    }

    public void WriteTo(Surroundings world) => table.WriteTo(world);

    public static void Heading(Surroundings world, string text)
    {
        world.Out.WriteLine();
        world.Out.WriteLine(text);
    }
}
