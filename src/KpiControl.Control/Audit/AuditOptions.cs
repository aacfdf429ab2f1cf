using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Audit;

/// <summary>How the chain of what happened is kept and signed.</summary>
internal sealed class AuditOptions : IValidatableObject
{
    public const string Section = "Audit";

    /// <summary>
    /// PEM file with the private key (ECDSA over P-256) that signs checkpoints and exports, the same on every node; readable
    /// by this process alone. Empty: the chain is kept and nothing is signed.
    /// </summary>
    public string SigningKeyFile { get; set; } = "";

    /// <summary>PEM files with the public keys (ECDSA over P-256) that signed before: what they signed still verifies.</summary>
    public List<string> FormerKeyFiles { get; set; } = [];

    /// <summary>How often what is waiting is linked.</summary>
    public TimeSpan LinkEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>A chain that grew is signed this often.</summary>
    public TimeSpan CheckpointEvery { get; set; } = TimeSpan.FromMinutes(1);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (LinkEvery < TimeSpan.FromMilliseconds(10) || LinkEvery > TimeSpan.FromMinutes(3))
            yield return new ValidationResult("Audit:LinkEvery is outside of 00:00:00.010 to 00:03:00");
        if (CheckpointEvery < TimeSpan.Zero || CheckpointEvery > TimeSpan.FromDays(1))
            yield return new ValidationResult("Audit:CheckpointEvery is outside of 0 to one day");
        if (SigningKeyFile.Length > 0 && KeyMistake() is { } mistake)
            yield return new ValidationResult($"Audit:SigningKeyFile '{SigningKeyFile}' {mistake}");
        foreach (var file in FormerKeyFiles)
            if (FormerMistake(file) is { } wrong)
                yield return new ValidationResult($"Audit:FormerKeyFiles '{file}' {wrong}");
    }

    private static string? FormerMistake(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            if (text.Contains("PRIVATE KEY", StringComparison.Ordinal))
                return "holds a private key: what signs no more is kept by its public half alone (openssl pkey -pubout)";
            using var key = ECDsa.Create();
            key.ImportFromPem(text);
            return key.KeySize == 256 ? null : "is not a key over P-256";
        }
        catch (Exception unusable) when (unusable is ArgumentException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            return "is not a readable PEM file with one EC public key";
        }
    }

    private string? KeyMistake()
    {
        if (!File.Exists(SigningKeyFile))
            return "does not exist: make one with openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
        if (KeyFile.IsOpenToOthers(SigningKeyFile))
            return "is open to every user of this machine: chmod 600";
        try
        {
            using var key = ECDsa.Create();
            key.ImportFromPem(File.ReadAllText(SigningKeyFile));
            _ = key.ExportParameters(includePrivateParameters: true);
            return key.KeySize == 256 ? null : "is not a key over P-256";
        }
        catch (Exception unusable) when (unusable is ArgumentException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            return "is not a readable PEM file with an EC private key";
        }
    }
}
