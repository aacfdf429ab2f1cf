using KpiControl.Agent.Connections;
using KpiControl.Agent.Secrets.Stores;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary>A bad connection file is a bad setting: all its mistakes at start, beside those of the others.</summary>
internal sealed class ConnectionFileValidation(IConfiguration configuration) : IValidateOptions<AgentOptions>
{
    // The setting without which a store is none. Read here as text: a bad value is told by its own options.
    private static readonly Dictionary<string, string> Opens = new()
    {
        [VaultSecrets.SchemeName] = $"{VaultOptions.Section}:Address",
        [AzureKeyVaultSecrets.SchemeName] = $"{AzureKeyVaultOptions.Section}:Address",
        [AwsSecrets.SchemeName] = $"{AwsSecretsOptions.Section}:Region",
    };

    public ValidateOptionsResult Validate(string? name, AgentOptions options)
    {
        if (options.ConnectionsFile.Length == 0)
            return ValidateOptionsResult.Skip;
        var file = ConnectionFile.Load(options.ConnectionsFile);
        var problems = file.IsValid ? file.Connections.Select(Closed).OfType<string>().ToList() : [.. file.Describe(options.ConnectionsFile).Select(line => line + ".")];
        return problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
    }

    private string? Closed(Connection connection) =>
        connection.Credential is { } reference && Opens.TryGetValue(reference.Scheme, out var setting) && string.IsNullOrEmpty(configuration[setting])
            ? $"Connection {connection.ConnId} refers to {reference}, and this agent has no such store: set {setting}." : null;
}
