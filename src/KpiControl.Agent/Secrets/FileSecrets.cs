using System.Globalization;

namespace KpiControl.Agent.Secrets;

/// <summary>
/// <c>file:/path</c>: the file's text without its last line end, read at each attempt, so a rotated file counts at
/// once. Its version is the instant of its last write.
/// </summary>
/// <param name="isPods">
/// The pod's own token, which Kubernetes writes readable for all in the pod: nobody else is there, and its mode is not ours to choose.
/// </param>
internal sealed class FileSecrets(bool isPods = false) : ISecretResolver
{
    public const string SchemeName = "file";
    private const int MostBytes = 64 * 1024;
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    public string Scheme => SchemeName;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        try
        {
            var file = new FileInfo(reference.Name);
            if (!file.Exists)
                return SecretLookup.Missing($"{reference} does not exist: write the secret there, readable by the agent alone");
            if (!isPods && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(file.FullName) & Others) != 0)
                return SecretLookup.Missing($"{reference} can be read by everybody: chmod 600 (or 640) it");
            if (file.Length is 0 or > MostBytes)
                return SecretLookup.Missing($"{reference} has {file.Length} bytes: a secret has 1 to {MostBytes}");
            var text = await File.ReadAllTextAsync(file.FullName, token);
            return SecretLookup.Found(text.TrimEnd('\r', '\n'), file.LastWriteTimeUtc.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        }
        catch (Exception error) when (error is UnauthorizedAccessException or IOException)
        {
            return SecretLookup.Missing($"{reference} cannot be read by the agent: check its owner and mode");
        }
    }
}
