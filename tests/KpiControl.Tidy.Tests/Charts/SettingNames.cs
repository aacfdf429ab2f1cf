using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace KpiControl.Tidy.Tests.Charts;

/// <summary>Whether an environment variable is a setting of a process: its name leads to a property of an options class.</summary>
internal static class SettingNames
{
    /// <summary>Null where it is one; else what is wrong with it.</summary>
    public static string? Fault(string variable, Assembly process, string prefix)
    {
        if (!variable.StartsWith(prefix, StringComparison.Ordinal))
            return $"{variable} does not begin with {prefix}";
        var path = variable[prefix.Length..].Split("__");
        if (path is ["Logging", "LogLevel", _])
            return null;
        var roots = process.GetTypes().Select(type => (Type: type, Section: SectionOf(type))).Where(root => root.Section is not null);
        return roots.Any(root => Leads(root.Type, path, root.Section!)) ? null : $"{variable} is no setting of {process.GetName().Name}";
    }

    public static TOptions Bind<TOptions>(string section, IDictionary<string, string> variables) where TOptions : new() =>
        new ConfigurationBuilder().AddInMemoryCollection(variables.Select(v => KeyValuePair.Create<string, string?>(v.Key.Replace("__", ":", StringComparison.Ordinal), v.Value)))
            .Build().GetSection(section).Get<TOptions>() ?? new TOptions();

    // An options class without a section of its own is bound at the root.
    private static string[]? SectionOf(Type type) =>
        type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() is string section ? section.Split(':')
        : type.Name == "TenantsOptions" ? [] : null;

    private static bool Leads(Type type, string[] path, string[] section) =>
        path.Length > section.Length && path.Take(section.Length).SequenceEqual(section) && Leads(type, path.AsSpan(section.Length));

    private static bool Leads(Type type, ReadOnlySpan<string> path)
    {
        if (path.IsEmpty)
            return type == typeof(string) || type.IsValueType;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>))
            return int.TryParse(path[0], out _) && Leads(type.GetGenericArguments()[0], path[1..]);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>))
            return Leads(type.GetGenericArguments()[1], path[1..]);
        return type.GetProperty(path[0]) is { CanWrite: true } property && Leads(property.PropertyType, path[1..]);
    }
}
