using KpiControl.Agent.Connections;
using KpiControl.Testing;

namespace KpiControl.Agent.Tests.Connections;

public sealed class ConnectionFileTests
{
    private static readonly Dictionary<string, string> Variables = new()
    {
        ["KPI_SERVICE_PORT"] = "8123", ["KPI_SERVICE_TOKEN_FILE"] = "/run/secrets/token", ["KPI_US_WAREHOUSE_FILE"] = "/var/lib/kpi/us.duckdb", ["KPI_EU_WAREHOUSE_PORT"] = "5999",
    };

    [Fact]
    public void The_sample_files_are_valid()
    {
        var directory = Repository.File("samples", "connections");
        var eu = ConnectionFile.Parse(File.ReadAllText(Path.Combine(directory, "eu.yaml")), directory, Variables.GetValueOrDefault);
        Assert.Equal([], eu.Findings);
        Assert.Equal(["default:sql", "http:http"], eu.Connections.Select(one => $"{one.ConnId}:{one.Executor}"));
        Assert.Equal("postgresql://127.0.0.1:5999/warehouse", eu.Connections[0].Endpoint);
        Assert.Equal("file:/run/secrets/token", eu.Connections[1].Credential!.ToString());
        var us = ConnectionFile.Parse(File.ReadAllText(Path.Combine(directory, "us.yaml")), directory, Variables.GetValueOrDefault);
        Assert.Equal([], us.Findings);
        Assert.Equal(Repository.File("samples", "data"), us.Connections[0].DataDirectory);
    }

    [Fact]
    public void Every_mistake_is_told_at_once_with_its_line()
    {
        var file = ConnectionFile.Parse(
            """
            connections:
              Default:
                driver: postgresql
                endpoint: "postgresql://kpi:hunter2secret@db.example/x"
                credential: hunter2secret
                report_points: many
              http:
                driver: http
                endpoint: "http://service.example/"
                colour: blue
              duck:
                driver: duckdb
                endpoint: "${KPI_NOT_SET}/x.duckdb"
                data_directory: nowhere
              other:
                driver: oracle
            """, "/", _ => null);
        Assert.Equal([2, 4, 5, 6, 9, 10, 13, 14, 16], file.Findings.Select(one => one.Line).Order());
        Assert.Empty(file.Connections);
        Assert.All(file.Findings, one => Assert.NotEqual("", one.Hint));
        // What was written where a reference belongs may be the secret itself.
        Assert.DoesNotContain("hunter2", string.Join('\n', file.Describe("connections.yaml")), StringComparison.Ordinal);
    }

    [Theory, InlineData("", 1), InlineData("connections: {}", 1), InlineData("a: [", 2), InlineData("connection: {}", 1)]
    public void A_file_without_connections_says_what_to_write(string text, int line)
    {
        var finding = Assert.Single(ConnectionFile.Parse(text, "/", _ => null).Findings);
        Assert.Equal(line, finding.Line);
    }

    [Theory]
    [InlineData("vault:secret/finance/warehouse#password")]
    [InlineData("azure-key-vault:warehouse")]
    [InlineData("azure-key-vault:warehouse/0123456789abcdef0123456789abcdef")]
    [InlineData("aws-secrets-manager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:kpi/x-a1b2c3#password")]
    public void A_reference_into_a_store_is_one(string credential) =>
        Assert.Equal(credential, Assert.Single(WithCredential(credential).Connections).Credential!.ToString());

    [Theory]
    [InlineData("gcp-secret-manager:hunter2")]
    [InlineData("hunter2:x")]
    [InlineData("vault:hunter2")]
    [InlineData("vault:secret/../sys/hunter2#x")]
    [InlineData("vault:secret/hunter2")]
    [InlineData("azure-key-vault:hunter2/../x")]
    public void An_unknown_scheme_or_a_wrong_shape_is_told_with_every_known_one(string credential)
    {
        var finding = Assert.Single(WithCredential(credential).Findings);
        Assert.DoesNotContain("hunter2", finding.Message + finding.Hint, StringComparison.Ordinal);
        foreach (var shape in new[] { "env:NAME", "file:/path", "vault:MOUNT/PATH#FIELD", "azure-key-vault:NAME", "aws-secrets-manager:NAME#FIELD" })
            Assert.Contains($"`{shape}`", finding.Hint, StringComparison.Ordinal);
    }

    private static ConnectionFile WithCredential(string credential) =>
        ConnectionFile.Parse($"connections:\n  a:\n    driver: http\n    endpoint: https://kpi.example\n    credential: \"{credential}\"\n", "/", _ => null);
}
