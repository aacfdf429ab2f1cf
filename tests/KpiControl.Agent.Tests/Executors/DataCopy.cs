namespace KpiControl.Agent.Tests.Executors;

/// <summary>The sample files in a directory of their own, to be changed.</summary>
internal sealed class DataCopy : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("kpi-data-");

    public DataCopy()
    {
        foreach (var file in Directory.GetFiles(Samples.Data, "*.csv"))
            File.Copy(file, System.IO.Path.Combine(directory.FullName, System.IO.Path.GetFileName(file)));
    }

    public string Path => directory.FullName;

    /// <summary>Changes (or, with null, removes) the one line that begins so; returns the text as it was.</summary>
    public string Edit(string file, string beginning, Func<string, string?> change)
    {
        var before = File.ReadAllText(In(file));
        var lines = before.Split('\n').ToList();
        var at = lines.FindIndex(line => line.StartsWith(beginning, StringComparison.Ordinal));
        Assert.True(at > 0, $"{file} has no line that begins with {beginning}");
        if (change(lines[at]) is { } line)
            lines[at] = line;
        else
            lines.RemoveAt(at);
        Write(file, string.Join('\n', lines));
        return before;
    }

    public void Write(string file, string text) => File.WriteAllText(In(file), text);

    public void Dispose() => directory.Delete(recursive: true);

    private string In(string file) => System.IO.Path.Combine(directory.FullName, file);
}
