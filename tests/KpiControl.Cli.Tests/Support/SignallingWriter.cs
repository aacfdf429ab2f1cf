namespace KpiControl.Cli.Tests.Support;

/// <summary>Standard output that acts once a text has been written to it.</summary>
internal sealed class SignallingWriter(string awaited, Action act) : StringWriter
{
    public override void WriteLine(string? value)
    {
        base.WriteLine(value);
        if (value?.Contains(awaited, StringComparison.Ordinal) == true)
            act();
    }
}
