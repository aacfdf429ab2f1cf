namespace KpiControl.Cli.Output;

/// <summary>What is going on, on standard error: one line rewritten on a terminal, a line for each change elsewhere.</summary>
internal sealed class ProgressLine(Surroundings world) : IDisposable
{
    private string last = "";

    /// <summary>What was said last.</summary>
    public string Last => last;

    public void Say(string state)
    {
        state = Talk.OneLine(state);
        if (state == last)
            return;
        if (world.ErrorIsTerminal)
            world.Error.Write($"\r{state.PadRight(last.Length)}");
        else
            world.Error.WriteLine(state);
        last = state;
    }

    public void Dispose()
    {
        if (world.ErrorIsTerminal && last.Length > 0)
            world.Error.Write($"\r{new string(' ', last.Length)}\r");
    }
}
