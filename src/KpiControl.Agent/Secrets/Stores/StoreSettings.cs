using System.ComponentModel.DataAnnotations;
using KpiControl.Agent.Connections;
using KpiControl.Jobs.Calls;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>What is wrong with a setting of a store, or null. No value is repeated: a secret may have been written there.</summary>
internal static class StoreSettings
{
    public static string? Address(string setting, string value) =>
        Url(value) is not { } url ? $"{setting} is no address: write https://host:port, without a credential."
        : url.Scheme == "http" && !CallableAddresses.NamesLoopback(url.Host) ? $"{setting} is not encrypted: use https; plain http is for loopback alone."
        : null;

    public static string? Encrypted(string setting, string value) =>
        Url(value) is { Scheme: "https" } ? null : $"{setting} is no encrypted address: write https://host.";

    public static string? File(string setting, string value) =>
        value.Length == 0 || System.IO.File.Exists(value) ? null : $"{setting} names a file that does not exist: give the path of a PEM file, or leave it out.";

    public static string? Given(string setting, string value) => value.Length > 0 ? null : $"{setting} is missing.";

    public static string? Reference(string setting, string value) =>
        Near(value) is not null ? null : $"{setting} is no reference of this machine: write env:NAME or file:/path, and keep the secret there.";

    public static IEnumerable<ValidationResult> Results(IEnumerable<string?> problems) => problems.OfType<string>().Select(problem => new ValidationResult(problem));

    /// <summary>What opens a store cannot itself stand in a store.</summary>
    public static SecretReference? Near(string value) =>
        SecretReference.Parse(value) is { Scheme: EnvironmentSecrets.SchemeName or FileSecrets.SchemeName } reference ? reference : null;

    private static Uri? Url(string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "https" or "http" && url.Host.Length > 0 && url.UserInfo.Length == 0 && url.Query.Length == 0 ? url : null;
}
