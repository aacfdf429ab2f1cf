using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace KpiControl.Cli.Connection;

/// <summary>The configuration file: named contexts, and which one counts when none is named.</summary>
internal sealed class ContextFile
{
    public string? CurrentContext { get; set; }
    public Dictionary<string, KpictlContext> Contexts { get; set; } = [];

    public static ContextFile? Read(string path)
    {
        if (!File.Exists(path))
            return null;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & OthersMay) != 0)
            throw new Refusal($"{path} can be read or changed by others, and it says where your token goes", $"chmod 600 {path}");
        try
        {
            var reader = new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).Build();
            return reader.Deserialize<ContextFile?>(File.ReadAllText(path)) ?? new ContextFile();
        }
        catch (YamlException bad)
        {
            throw new Refusal($"{path}:{bad.Start.Line}:{bad.Start.Column}: {Output.Talk.OneLine(bad.InnerException?.Message ?? bad.Message)}",
                "a context has server, token (env:NAME or file:PATH), tenant, environment and login");
        }
        catch (UnauthorizedAccessException)
        {
            throw new Refusal($"{path} cannot be read", "check whose it is, or name another with KPICTL_CONFIG");
        }
    }

    /// <summary>The context named, or the current one; null where there is neither.</summary>
    public static KpictlContext? Find(Surroundings world, string? name)
    {
        var path = HomePath.Config(world);
        var file = Read(path);
        name ??= file?.CurrentContext;
        if (name is null)
            return null;
        if (file is null || !file.Contexts.TryGetValue(name, out var found))
            throw new Refusal($"there is no context '{name}' in {path}",
                file is { Contexts.Count: > 0 } ? $"it has: {string.Join(", ", file.Contexts.Keys.Order())}" : "write one; docs/kpictl.md shows how");
        found.Name = name;
        return found;
    }

    private const UnixFileMode OthersMay = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
}

internal sealed class KpictlContext
{
    [YamlIgnore]
    public string Name { get; set; } = "";
    public string? Server { get; set; }
    public string? Token { get; set; }
    public string? Tenant { get; set; }
    public string? Environment { get; set; }
    public LoginSettings? Login { get; set; }
}

/// <summary>How kpictl login logs in; what is absent has a default.</summary>
internal sealed class LoginSettings
{
    public string? Issuer { get; set; }
    public string? ClientId { get; set; }

    /// <summary><c>env:NAME</c> or <c>file:PATH</c>: as a service.</summary>
    public string? ClientSecret { get; set; }

    public string? Scope { get; set; }
    public string? Audience { get; set; }
    public string? Resource { get; set; }
}
