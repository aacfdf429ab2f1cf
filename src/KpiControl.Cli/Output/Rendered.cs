using Spectre.Console;
using Spectre.Console.Rendering;

namespace KpiControl.Cli.Output;

/// <summary>What the library draws, as wide as its content: whoever reads decides where to wrap.</summary>
internal static class Rendered
{
    public static void WriteTo(Surroundings world, IRenderable drawing, string indent = "")
    {
        var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = world.Colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = world.Colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(text),
        });
        console.Profile.Width = 100_000;
        console.Profile.Capabilities.Unicode = true;
        console.Write(drawing);
        foreach (var line in text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            world.Out.WriteLine(indent + line.TrimEnd());
    }
}
