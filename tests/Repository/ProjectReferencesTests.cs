using System.Xml.Linq;
using Vks.Tests.Kit;

namespace Vks.Tests.Repository;

/// <summary>The direction of dependencies, held by assemblies: who may reference whom.</summary>
public sealed class ProjectReferencesTests
{
    private static readonly Dictionary<string, string[]> s_allowed = new(StringComparer.Ordinal)
    {
        ["runtime/Vks.Runtime.csproj"] = [],
        ["spherelet/Protos/Vks.Spherelet.Protos.csproj"] = [],
        ["spherelet/Protos/Machines/Vks.Machines.Protos.csproj"] = [],
        ["spherelet/Vks.Spherelet.csproj"] = ["runtime/Vks.Runtime.csproj", "spherelet/Protos/Machines/Vks.Machines.Protos.csproj", "spherelet/Protos/Vks.Spherelet.Protos.csproj"],
        ["supervisor/Vks.Supervisor.csproj"] = ["spherelet/Protos/Machines/Vks.Machines.Protos.csproj"],
        ["images/agent/Vks.Agent.csproj"] = [],
        ["bench/Vks.Bench.csproj"] = ["runtime/Vks.Runtime.csproj", "spherelet/Protos/Vks.Spherelet.Protos.csproj"],
        ["tests/Vks.Tests.csproj"] =
            ["runtime/Vks.Runtime.csproj", "spherelet/Vks.Spherelet.csproj", "supervisor/Vks.Supervisor.csproj", "bench/Vks.Bench.csproj"],
    };

    [Fact]
    public void Every_project_references_only_what_it_may_know()
    {
        List<string> faults = [];
        string[] projects = [.. RepositoryRoot.SourceFiles("*.csproj").Order(StringComparer.Ordinal)];

        foreach (string project in projects)
        {
            Assert.True(s_allowed.ContainsKey(project), $"{project} is new: say in this table what it may reference.");
            string folder = Path.GetDirectoryName(RepositoryRoot.Combine(project))!;
            IEnumerable<string> references = XDocument.Load(RepositoryRoot.Combine(project)).Descendants("ProjectReference")
                .Select(reference => Path.GetRelativePath(RepositoryRoot.Path, Path.GetFullPath(Path.Combine(folder, (string)reference.Attribute("Include")!))));
            faults.AddRange(references.Except(s_allowed[project]).Select(reference => $"{project} must not reference {reference}"));
        }

        Assert.Empty(faults);
        Assert.Equal(s_allowed.Keys.Order(StringComparer.Ordinal), projects);
    }

    [Fact]
    public void Package_versions_stand_in_one_file()
    {
        IEnumerable<string> faults = RepositoryRoot.SourceFiles("*.csproj")
            .SelectMany(project => XDocument.Load(RepositoryRoot.Combine(project)).Descendants("PackageReference")
                .Where(reference => reference.Attribute("Version") is not null)
                .Select(reference => $"{project}: version of {(string?)reference.Attribute("Include")} belongs into Directory.Packages.props"));

        Assert.Empty(faults);
    }
}
