using System.Text.Json;
using KpiControl.Cli.Connection;

namespace KpiControl.Cli.Login;

/// <summary>Logins lie in the user's own configuration directory, a file for each control plane, readable by nobody else.</summary>
internal static class LoginFile
{
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly JsonSerializerOptions Form = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    public static string PathOf(Surroundings world, Uri server) =>
        Path.Combine(HomePath.Logins(world), $"{server.Scheme}_{server.Host.Trim('[', ']').Replace(':', '-')}_{server.Port}.json");

    /// <summary>Null where there is none.</summary>
    public static SavedLogin? Read(Surroundings world, Uri server)
    {
        var path = PathOf(world, server);
        if (!File.Exists(path))
            return null;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & ~(Mine | UnixFileMode.UserExecute)) != 0)
            throw new Refusal($"{path} can be read or changed by others, and it holds your tokens", $"kpictl logout --server {server.AbsoluteUri.TrimEnd('/')}, then kpictl login", ExitCode.NotAuthenticated);
        try
        {
            return JsonSerializer.Deserialize<SavedLogin>(File.ReadAllText(path), Form);
        }
        catch (Exception unreadable) when (unreadable is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{path} cannot be read", $"log in again: kpictl login --server {server.AbsoluteUri.TrimEnd('/')}", ExitCode.NotAuthenticated);
        }
    }

    /// <summary>Whole or not at all; never readable by others, not even for a moment.</summary>
    public static void Write(Surroundings world, Uri server, SavedLogin login)
    {
        var path = PathOf(world, server);
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        else
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, Mine | UnixFileMode.UserExecute);
        var temporary = $"{path}.{Environment.ProcessId}";
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = Mine;
        using (var file = new FileStream(temporary, options))
            JsonSerializer.Serialize(file, login, Form);
        File.Move(temporary, path, overwrite: true);
    }

    /// <returns>False: there was none.</returns>
    public static bool Remove(Surroundings world, Uri server)
    {
        var path = PathOf(world, server);
        if (!File.Exists(path))
            return false;
        File.Delete(path);
        return true;
    }
}
