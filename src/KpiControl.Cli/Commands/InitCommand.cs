using System.CommandLine;
using System.Text;
using KpiControl.Cli.Authoring;
using KpiControl.Cli.Contracts;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;
using KpiControl.Jobs.Templates;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

internal static class InitCommand
{
    private static readonly Option<string> Template = new("--template") { Description = "daily-kpi and others: kpictl init --list", HelpName = "NAME", DefaultValueFactory = _ => "daily-kpi" };
    private static readonly Option<bool> Known = new("--list") { Description = "List the templates and what each asks for" };
    private static readonly Option<string?> Contract = new("--contract")
    { Description = "The contract version, asked of the control plane unless --contract-file is given", HelpName = "KPI@VERSION" };
    private static readonly Option<string?> ContractFile = new("--contract-file") { Description = "The contract's file: no control plane is needed", HelpName = "FILE" };
    private static readonly Option<string[]> Set = new("--set")
    { Description = "A value of the template, or filter.FIELD; repeatable", HelpName = "NAME=VALUE" };
    private static readonly Option<string?> File = new("--out") { Description = "Write the artifact there; absent: standard output", HelpName = "FILE" };
    private static readonly Option<bool> Force = new("--force") { Description = "Overwrite --out" };
    private static readonly Option<bool> Interactive = new("--interactive", "-i") { Description = "Ask on the terminal for what no option says; without a contract among the options this is so anyway" };
    private static readonly Option<string?> Schema = new("--schema")
    { Description = "Where editors find the JSON Schema; absent: a copy is put beside --out", HelpName = "URL|PATH" };

    static InitCommand() => Template.CompletionSources.Add(_ => JobTemplate.All.Select(template => template.Name));

    public static Command Create() =>
        new Command("init", "Make an artifact from a template and a metric contract, and check what was made")
            .With(Template, Known, Contract, ContractFile, Set, File, Force, Interactive, Schema).Online().With(SharedOptions.Tenant).Does(Init);

    private static async Task<int> Init(Session session)
    {
        if (session.Value(Known))
            return List(session.World);
        var asks = Asks(session);
        var name = asks && !session.Has(Template) ? InitQuestions.Template(session.World, session.Value(Template)!) : session.Value(Template)!;
        var template = JobTemplate.Find(name)
            ?? throw new Refusal($"there is no template {name}", $"it is one of: {string.Join(", ", JobTemplate.All.Select(one => one.Name))}");
        var contract = await Read(session, asks);
        var values = Values(session);
        if (asks)
            InitQuestions.Values(session.World, template, contract, values);
        var filled = template.Fill(contract, values, EditorSchema.Reference(session.World, session.Value(Schema), session.Value(File)));
        var made = session.Value(File) ?? template.Name;
        foreach (var finding in filled.Findings)
            session.World.Error.WriteLine(FindingLines.Line(made, finding));
        if (filled.Text is null || filled.Findings.Any(finding => finding.Severity == Severity.Error))
            throw new Refusal("no artifact was made", "give what is named above with --set NAME=VALUE", ExitCode.Failed);
        Write(session, filled.Text);
        return ExitCode.Done;
    }

    private static int List(Surroundings world)
    {
        foreach (var template in JobTemplate.All)
        {
            world.Out.WriteLine($"{template.Name}: {template.Description}");
            var table = new TextTable("", "", "");
            foreach (var parameter in template.Parameters)
                table.Row(parameter.Name, parameter.Default is null ? "(needed)" : parameter.Default.Length == 0 ? "" : $"[{parameter.Default}]", parameter.Description);
            table.WriteTo(world, "  ");
        }
        return ExitCode.Done;
    }

    private static bool Asks(Session session)
    {
        if (session.Value(Interactive) && !session.World.CanAsk)
            throw new Refusal("there is no terminal to ask on", "leave --interactive out, and give --contract and --set NAME=VALUE (kpictl init --list)");
        return session.World.CanAsk && (session.Value(Interactive) || session.Value(Contract) is null && session.Value(ContractFile) is null);
    }

    private static async Task<MetricContract> Read(Session session, bool asks)
    {
        var wanted = session.Value(Contract) ?? (asks && session.Value(ContractFile) is null ? InitQuestions.Contract(session.World) : null);
        var (source, reading) = session.Value(ContractFile) is { } file
            ? (file, ContractReader.Read(FileSet.Read(file), ArtifactFormats.OfPath(file)))
            : (wanted ?? throw new Refusal("of which contract?", "give --contract KPI@VERSION, or --contract-file FILE"), await Fetch(session, wanted));
        foreach (var finding in reading.Findings)
            session.World.Error.WriteLine(FindingLines.Line(source, finding));
        if (reading.Contract is not { } contract)
            throw new Refusal($"{source} is not a contract that can be used", "mend what is named above", ExitCode.Failed);
        return wanted is null || wanted == contract.Reference.ToString()
            ? contract
            : throw new Refusal($"{source} is {contract.Reference}, not {wanted}", "give the version of the file, or another file", ExitCode.Failed);
    }

    private static async Task<ContractReading> Fetch(Session session, string wanted)
    {
        var (kpi, version) = ContractName.Parse(wanted);
        var stored = await session.Catalog.GetContractAsync(
            new GetContractRequest { Tenant = session.Target.Tenant ?? "", KpiId = kpi, Version = version }, session.Call);
        return ContractReader.Read(stored.Content, stored.Format == "json" ? ArtifactFormat.Json : ArtifactFormat.Yaml);
    }

    private static Dictionary<string, string> Values(Session session)
    {
        var values = new Dictionary<string, string>();
        foreach (var pair in session.Value(Set) ?? [])
            if (pair.IndexOf('=', StringComparison.Ordinal) is > 0 and var at)
                values[pair[..at]] = pair[(at + 1)..];
            else
                throw new Refusal($"--set {pair} is not NAME=VALUE");
        if (!values.ContainsKey("tenant") && Tenant(session) is { } tenant)
            values["tenant"] = tenant;
        return values;
    }

    // Without a control plane there is no target to resolve; the tenant may be said all the same.
    private static string? Tenant(Session session) => session.Value(ContractFile) is null
        ? session.Target.Tenant
        : session.Value(SharedOptions.Tenant) ?? session.World.Set("KPICTL_TENANT");

    private static void Write(Session session, string text)
    {
        if (session.Value(File) is not { } file)
        {
            session.World.Out.Write(text);
            return;
        }
        try
        {
            using var stream = new FileStream(file, session.Value(Force) ? FileMode.Create : FileMode.CreateNew);
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            throw new Refusal($"{file} cannot be written{(System.IO.File.Exists(file) ? ": it exists" : "")}", "give another --out, or --force to overwrite", ExitCode.Failed);
        }
        if (session.Value(Schema) is null)
            EditorSchema.PutBeside(session.World, file);
        session.World.Error.WriteLine($"{file} made; next: kpictl apply {file}");
    }
}
