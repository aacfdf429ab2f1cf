using System.CommandLine;
using System.Text.Json.Nodes;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Cli.Evidence;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class AuditCommand
{
    private static readonly Option<string?> Since = new("--since") { Description = "Recorded at or after this instant", HelpName = "TIME" };
    private static readonly Option<string?> Until = new("--until") { Description = "Recorded before this instant", HelpName = "TIME" };
    private static readonly Option<string?> Actor = new("--actor") { Description = "Only of this principal", HelpName = "NAME" };
    private static readonly Option<string?> Verb = new("--verb") { Description = "Only of this verb: Create, Update, Pause, Resume, Run …", HelpName = "VERB" };
    private static readonly Option<string?> Object = new("--object") { Description = "Only of this kind of object, or of this one: binding, binding/42", HelpName = "KIND[/ID]" };
    private static readonly Option<int> Limit = new("--limit") { Description = "At most so many", HelpName = "N", DefaultValueFactory = _ => 50 };
    private static readonly Option<long> From = new("--from") { Description = "The first link; absent: the beginning", HelpName = "SEQ" };
    private static readonly Option<string?> Key = new("--key") { Description = "PEM file with the public key, and those before it; needed to look at signatures", HelpName = "FILE" };
    private static readonly Option<string?> Kept = new("--kept") { Description = "A checkpoint line, or several, that was kept elsewhere", HelpName = "FILE" };
    private static readonly Argument<string?> File = new("FILE") { Description = "An export, - for standard input; absent: the control plane verifies its own chain", Arity = ArgumentArity.ZeroOrOne };

    // A whole trail takes longer than a call.
    private static readonly TimeSpan ExportTime = TimeSpan.FromMinutes(30);

    public static Command Create() => new("audit", "Who did what; export the trail and verify that nothing of it was altered")
    {
        new Command("list", "List who did what, the newest first").Online()
            .With(SharedOptions.Tenant, Since, Until, Actor, Verb, Object, Limit, SharedOptions.Output).Does(List),
        new Command("export", "Write a tenant's chain with its rows to standard output (docs/audit-format.md)").Online().With(SharedOptions.Tenant, From).Does(Export),
        new Command("verify", "Verify an export by itself, or have the control plane verify its own chain") { File }.Online()
            .With(SharedOptions.Tenant, From, Key, Kept).Does(session => session.Value(File) is { } file ? VerifyFile(session, file) : VerifyServer(session)),
        new Command("key", "Print the public key that verifies exports; keep it where the system cannot reach").Online().Does(PrintKey),
    };

    private static async Task<int> List(Session session)
    {
        var (kind, id) = session.Value(Object)?.Split('/', 2) is { } parts ? (parts[0], parts.ElementAtOrDefault(1) ?? "") : ("", "");
        var all = new ListAuditResponse();
        await Pages.Read(session, session.Value(Limit), async (size, token) =>
        {
            var page = await session.Audit.ListAuditAsync(new ListAuditRequest
            {
                Tenant = session.Target.Tenant ?? "", Since = Instant(session, Since), Until = Instant(session, Until), Actor = session.Value(Actor) ?? "",
                Verb = session.Value(Verb) ?? "", ObjectKind = kind, ObjectId = id, PageSize = size, PageToken = token,
            }, session.Call);
            all.Entries.AddRange(page.Entries);
            all.NextPageToken = page.NextPageToken;
            return (page.Entries.Count, page.NextPageToken);
        });
        session.Answer.Print(all, () => Print(session, all.Entries), () => all.Entries.Select(entry => $"audit/{entry.AuditId}"));
        return ExitCode.Done;
    }

    private static void Print(Session session, IReadOnlyCollection<AuditRecord> entries)
    {
        if (entries.Count == 0)
        {
            session.World.Error.WriteLine("nobody did anything that fits");
            return;
        }
        var wide = session.Answer.Wide;
        var table = wide ? new TextTable("RECORDED", "ACTOR", "VERB", "OBJECT", "ENV", "REASON", "BEFORE", "AFTER", "REQUEST") : new TextTable("RECORDED", "ACTOR", "VERB", "OBJECT", "ENV", "REASON");
        foreach (var e in entries)
        {
            Cell[] cells = [Ages.Absolute(e.RecordedAt), e.Actor, e.Verb, $"{e.ObjectKind}/{e.ObjectId}", e.Environment, e.Reason];
            table.Row(wide ? [.. cells, e.Before, e.After, e.RequestId] : cells);
        }
        table.WriteTo(session.World);
    }

    private static async Task<int> Export(Session session)
    {
        using var stream = session.Audit.ExportAudit(new ExportAuditRequest { Tenant = session.Target.Tenant ?? "", FromSeq = session.Value(From) }, session.CallWithin(ExportTime));
        await foreach (var part in stream.ResponseStream.ReadAllAsync(session.Token))
            await session.World.Out.WriteAsync(part.Lines.ToStringUtf8());
        return ExitCode.Done;
    }

    private static async Task<int> VerifyServer(Session session)
    {
        if (session.Value(Key) is not null || session.Value(Kept) is not null)
            throw new Refusal("--key and --kept belong to an export", "name its FILE, or leave them out");
        var found = await session.Audit.VerifyAuditAsync(new VerifyAuditRequest { Tenant = session.Target.Tenant ?? "", FromSeq = session.Value(From) }, session.CallWithin(ExportTime));
        return Tell(session, found.Findings, found.Links, found.Rows, found.SignedThrough, found.Waiting > 0 ? $", {found.Waiting} rows not linked yet" : "");
    }

    private static async Task<int> VerifyFile(Session session, string file)
    {
        var keys = session.Value(Key) is { } pem ? PublicKeys.Read(pem) : [];
        var verifier = new ExportVerifier(keys, session.Value(Kept) is { } kept ? Checkpoints(kept) : []);
        using var reader = file == "-" ? session.World.In : Open(file);
        while (await reader.ReadLineAsync(session.Token) is { } line)
            verifier.Read(line);
        verifier.End();
        if (keys.Count == 0)
            session.World.Error.WriteLine("no --key: signatures were not looked at, so a chain that was written anew would not be found");
        return Tell(session, verifier.Findings, verifier.Counted.Links, verifier.Counted.Rows, verifier.SignedThrough, "");
    }

    private static int Tell(Session session, IReadOnlyCollection<string> findings, long links, long rows, long signedThrough, string more)
    {
        foreach (var finding in findings)
            session.World.Out.WriteLine(Talk.OneLine(finding));
        session.World.Out.WriteLine($"{(findings.Count == 0 ? "whole" : "NOT AS IT WAS RECORDED")}: {links} links, {rows} rows, signed through link {signedThrough}{more}");
        return findings.Count == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static async Task<int> PrintKey(Session session)
    {
        var key = await session.Audit.GetAuditKeyAsync(new GetAuditKeyRequest(), session.Call);
        if (key.KeyId.Length == 0)
            throw new Refusal("this control plane signs nothing", "set its Audit:SigningKeyFile");
        session.World.Error.WriteLine($"key {key.KeyId}");
        session.World.Out.WriteLine(key.PublicKeyPem);
        return ExitCode.Done;
    }

    private static Timestamp? Instant(Session session, Option<string?> option) =>
        session.Value(option) is { } text ? Timestamp.FromDateTimeOffset(Times.Instant(text, option.Name, session.World.Clock)) : null;

    private static StreamReader Open(string file)
    {
        try
        {
            return new StreamReader(file, new System.Text.UTF8Encoding(false, throwOnInvalidBytes: false));
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be read: {Talk.OneLine(unreadable.Message)}", "name an export, or - for standard input");
        }
    }

    private static List<ChainCheckpoint> Checkpoints(string file)
    {
        using var reader = Open(file);
        try
        {
            return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Checkpoint)];
        }
        catch (Exception broken) when (broken is FormatException or InvalidOperationException or System.Text.Json.JsonException or NullReferenceException)
        {
            throw new Refusal($"{file} holds something else than checkpoint lines", "keep the lines of an export that begin with {\"checkpoint\":");
        }
    }

    private static ChainCheckpoint Checkpoint(string line)
    {
        var item = JsonNode.Parse(line)?["checkpoint"] ?? throw new FormatException();
        string Text(string name) => item[name]?.GetValue<string>() ?? throw new FormatException();
        return new ChainCheckpoint(Text("tenant"), long.Parse(Text("seq"), System.Globalization.CultureInfo.InvariantCulture), Text("hash"), Text("signed_at"), Text("key_id"));
    }
}
