using KpiControl.Agent.Connections;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Hosting;

/// <summary>A bad connection file is a bad setting: all its mistakes at start, beside those of the others.</summary>
internal sealed class ConnectionFileValidation : IValidateOptions<AgentOptions>
{
    public ValidateOptionsResult Validate(string? name, AgentOptions options)
    {
        if (options.ConnectionsFile.Length == 0)
            return ValidateOptionsResult.Skip;
        var file = ConnectionFile.Load(options.ConnectionsFile);
        return file.IsValid ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(file.Describe(options.ConnectionsFile).Select(line => line + "."));
    }
}
