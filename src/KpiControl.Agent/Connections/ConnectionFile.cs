using KpiControl.Jobs.Artifacts;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace KpiControl.Agent.Connections;

/// <summary>The agent's connection file, read whole: its connections, or every mistake in it at once.</summary>
internal sealed record ConnectionFile(IReadOnlyList<Connection> Connections, IReadOnlyList<Finding> Findings)
{
    public bool IsValid => Findings.Count == 0;

    /// <summary>One line a mistake: <c>file:line: what is wrong: what to do</c>.</summary>
    public IEnumerable<string> Describe(string path) =>
        Findings.Select(finding => $"{path}:{finding.Line}: {finding.Message}: {finding.Hint}");

    public static ConnectionFile Load(string path)
    {
        try
        {
            var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
            return Parse(File.ReadAllText(path), directory, Environment.GetEnvironmentVariable);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Invalid(0, "the connection file cannot be read", "give the path of a file that the agent may read");
        }
    }

    /// <param name="text">YAML.</param>
    /// <param name="directory">Relative paths in the file start here.</param>
    /// <param name="variable">The value of <c>${NAME}</c>, or null.</param>
    public static ConnectionFile Parse(string text, string directory, Func<string, string?> variable)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StringReader(text));
        }
        catch (YamlException error)
        {
            // The parser's own words may repeat the text, and the text may hold a secret that should not be there.
            return Invalid((int)error.Start.Line, "this is not YAML", "look at this line's indentation, quotes and colons");
        }
        if (yaml.Documents.Count != 1 || yaml.Documents[0].RootNode is not YamlMappingNode root)
            return Invalid(1, "the file is not one YAML mapping", "write `connections:` and below it one entry a connection");
        return Read(root, new ConnectionReader(directory, variable));
    }

    private static ConnectionFile Read(YamlMappingNode root, ConnectionReader reader)
    {
        var connections = new List<Connection>();
        foreach (var (key, value) in root.Children)
            if (key is YamlScalarNode { Value: "connections" } && value is YamlMappingNode entries)
                connections.AddRange(entries.Children.Select(entry => reader.Read(entry.Key, entry.Value)).OfType<Connection>());
            else
                reader.Report(key, "only `connections` is known here", "write `connections:` with an entry a connection below it");
        if (connections.Count == 0 && reader.Findings.Count == 0)
            return Invalid(1, "there is no connection", "add one below `connections:`, with a driver and an endpoint");
        return new ConnectionFile(reader.Findings.Count == 0 ? connections : [], reader.Findings);
    }

    private static ConnectionFile Invalid(int line, string message, string hint) =>
        new([], [new Finding("", line, 0, "connections.file", Severity.Error, message, hint)]);
}
