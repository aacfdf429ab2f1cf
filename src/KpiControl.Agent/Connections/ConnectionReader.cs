using System.Globalization;
using System.Text.RegularExpressions;
using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Artifacts;
using Npgsql;
using YamlDotNet.RepresentationModel;

namespace KpiControl.Agent.Connections;

/// <summary>Reads one entry of the connection file after another and collects what is wrong with each.</summary>
internal sealed partial class ConnectionReader(string directory, Func<string, string?> variable)
{
    private static readonly Dictionary<string, Driver> Drivers = new()
    {
        ["postgresql"] = Driver.PostgreSql, ["duckdb"] = Driver.DuckDb, ["http"] = Driver.Http,
    };

    private static readonly Dictionary<Driver, string[]> Fields = new()
    {
        [Driver.PostgreSql] = ["driver", "endpoint", "user", "credential", "report_points", "connect_timeout_seconds", "fingerprint_sources", "data_directory", "root_certificate", "sslmode"],
        [Driver.DuckDb] = ["driver", "endpoint", "report_points", "fingerprint_sources", "data_directory", "init_script"],
        [Driver.Http] = ["driver", "endpoint", "credential", "report_points", "connect_timeout_seconds", "max_response_bytes", "root_certificate"],
    };

    private static readonly Dictionary<string, SslMode> SslModes = new()
    {
        ["disable"] = Npgsql.SslMode.Disable, ["prefer"] = Npgsql.SslMode.Prefer, ["verify-ca"] = Npgsql.SslMode.VerifyCA, ["verify-full"] = Npgsql.SslMode.VerifyFull,
    };

    private readonly List<Finding> findings = [];

    public IReadOnlyList<Finding> Findings => findings;

    public void Report(YamlNode where, string message, string hint) =>
        findings.Add(new Finding("", (int)where.Start.Line, (int)where.Start.Column, "connections.field", Severity.Error, message, hint));

    public Connection? Read(YamlNode key, YamlNode value)
    {
        var connId = (key as YamlScalarNode)?.Value ?? "";
        if (!ConnIdPattern().IsMatch(connId))
            Report(key, $"`{connId}` is no conn_id", "use lower-case letters, digits, _ and -, beginning with a letter");
        if (value is not YamlMappingNode entry)
        {
            Report(value, $"connection {connId} has no fields", "give it a driver and an endpoint");
            return null;
        }
        if (ReadDriver(connId, entry) is not { } driver)
            return null;
        ReportUnknownFields(connId, entry, driver);
        return ReadFields(connId, entry, driver);
    }

    private Driver? ReadDriver(string connId, YamlMappingNode entry)
    {
        if (Drivers.TryGetValue(Text(entry, "driver") ?? "", out var driver))
            return driver;
        Report(Node(entry, "driver") ?? entry, $"connection {connId} has no driver that is known", $"write `driver: {string.Join("`, `driver: ", Drivers.Keys)}`");
        return null;
    }

    private void ReportUnknownFields(string connId, YamlMappingNode entry, Driver driver)
    {
        foreach (var key in entry.Children.Keys)
            if (key is not YamlScalarNode { Value: { } name } || !Fields[driver].Contains(name))
                Report(key, $"connection {connId}: `{(key as YamlScalarNode)?.Value}` is no field of its driver", $"known are {string.Join(", ", Fields[driver])}");
    }

    private Connection ReadFields(string connId, YamlMappingNode entry, Driver driver) => new()
    {
        ConnId = connId,
        Driver = driver,
        Endpoint = ReadEndpoint(connId, entry, driver),
        User = Expanded(entry, "user"),
        Credential = ReadCredential(connId, entry),
        ReportPoints = (int)Number(entry, "report_points", 0, 0, 100_000),
        ConnectTimeout = TimeSpan.FromSeconds(Number(entry, "connect_timeout_seconds", 10, 1, 300)),
        MaxResponseBytes = Number(entry, "max_response_bytes", 16 * 1024 * 1024, 1024, 1L << 30),
        FingerprintSources = Flag(entry, "fingerprint_sources"),
        DataDirectory = PathOf(entry, "data_directory", Directory.Exists),
        InitScript = PathOf(entry, "init_script", File.Exists),
        RootCertificate = PathOf(entry, "root_certificate", File.Exists),
        SslMode = ReadSslMode(connId, entry),
    };

    private SslMode? ReadSslMode(string connId, YamlMappingNode entry)
    {
        if (Node(entry, "sslmode") is not { } node)
            return null;
        if (!SslModes.TryGetValue(Text(entry, "sslmode") ?? "", out var mode))
            Report(node, $"connection {connId}: sslmode is no word that is known", $"write {string.Join(", ", SslModes.Keys)}, or leave it out");
        else if (mode < Npgsql.SslMode.VerifyCA && Uri.TryCreate(Expanded(entry, "endpoint"), UriKind.Absolute, out var url) && !Endpoints.IsLoopback(url))
            Report(node, $"connection {connId}: sslmode {Text(entry, "sslmode")} does not verify the server", "use verify-full or verify-ca; weaker modes are for loopback alone");
        return mode;
    }

    private string ReadEndpoint(string connId, YamlMappingNode entry, Driver driver)
    {
        var endpoint = Expanded(entry, "endpoint");
        if (endpoint is null)
        {
            if (Node(entry, "endpoint") is null)
                Report(entry, $"connection {connId} has no endpoint", "add `endpoint:`");
            return "";
        }
        if (driver is Driver.DuckDb)
            return Path.GetFullPath(endpoint, directory);
        if (Endpoints.Problem(endpoint, driver) is { } problem)
            Report(Node(entry, "endpoint")!, $"connection {connId}: {problem.What}", problem.Hint);
        return endpoint;
    }

    private SecretReference? ReadCredential(string connId, YamlMappingNode entry)
    {
        if (Node(entry, "credential") is not { } node)
            return null;
        var faults = findings.Count;
        var reference = SecretReference.Parse(Expanded(entry, "credential") ?? "");
        if (reference is null && findings.Count == faults)
            // Never the text itself: a secret may have been written where its reference belongs.
            Report(node, $"connection {connId}: the credential is no reference of a known scheme", $"write {string.Join(" or ", SecretReference.Shapes.Select(shape => $"`{shape}`"))}, and keep the secret there");
        return reference;
    }

    private string? PathOf(YamlMappingNode entry, string field, Func<string, bool> exists)
    {
        if (Expanded(entry, field) is not { } text)
            return null;
        var path = Path.GetFullPath(text, directory);
        if (!exists(path))
            Report(Node(entry, field)!, $"{field} {path} does not exist", "correct the path; a relative one starts at the connection file's directory");
        return path;
    }

    private long Number(YamlMappingNode entry, string field, long absent, long least, long most)
    {
        if (Node(entry, field) is not { } node)
            return absent;
        if (long.TryParse(Expanded(entry, field), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Report(node, $"{field} is no whole number from {least} to {most}", $"write such a number, or leave it out for {absent}");
        return absent;
    }

    private bool Flag(YamlMappingNode entry, string field)
    {
        if (Node(entry, field) is not { } node)
            return false;
        if ((node as YamlScalarNode)?.Value is not ("true" or "false"))
            Report(node, $"{field} is neither true nor false", "write `true` or `false`");
        return (node as YamlScalarNode)?.Value == "true";
    }

    private string? Expanded(YamlMappingNode entry, string field)
    {
        if (Text(entry, field) is not { Length: > 0 } text)
            return null;
        var missing = VariablePattern().Matches(text)
            .Where(match => !match.Groups["default"].Success && variable(match.Groups["name"].Value) is null or "")
            .Select(match => match.Groups["name"].Value).ToList();
        foreach (var name in missing)
            Report(Node(entry, field)!, $"{field} needs the environment variable {name}, which is not set", $"set it, or write `${{{name}:-value}}` with a default");
        return missing.Count > 0 ? null : VariablePattern().Replace(text, match =>
            variable(match.Groups["name"].Value) is { Length: > 0 } value ? value : match.Groups["default"].Value);
    }

    private static YamlNode? Node(YamlMappingNode entry, string field) =>
        entry.Children.FirstOrDefault(child => child.Key is YamlScalarNode { Value: { } name } && name == field).Value;

    private static string? Text(YamlMappingNode entry, string field) => (Node(entry, field) as YamlScalarNode)?.Value;

    [GeneratedRegex("^[a-z][a-z0-9_-]{0,62}$")]
    private static partial Regex ConnIdPattern();

    [GeneratedRegex(@"\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?<default>[^}]*))?\}")]
    private static partial Regex VariablePattern();
}
