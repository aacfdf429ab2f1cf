using System.Security.Cryptography;
using KpiControl.Cli.Output;

namespace KpiControl.Cli.Evidence;

/// <summary>Public keys from files: each holds one or several, in PEM.</summary>
internal static class PublicKeys
{
    public static List<ECDsa> Read(IEnumerable<string> files) => [.. files.SelectMany(Read)];

    public static List<ECDsa> Read(string file)
    {
        var (text, keys) = (Text(file), new List<ECDsa>());
        try
        {
            for (var rest = text.AsSpan(); PemEncoding.TryFind(rest, out var block); rest = rest[block.Location.End..])
            {
                keys.Add(ECDsa.Create());
                keys[^1].ImportFromPem(rest[block.Location]);
            }
        }
        catch (Exception unusable) when (unusable is ArgumentException or CryptographicException)
        {
            throw Unusable(file);
        }
        return keys.Count > 0 ? keys : throw Unusable(file);
    }

    private static Refusal Unusable(string file) => new($"{file} is not a PEM file with an EC public key", "get it with: kpictl audit key");

    private static string Text(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be read: {Talk.OneLine(unreadable.Message)}", "name a PEM file with a public key");
        }
    }
}
